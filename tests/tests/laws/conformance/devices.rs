//! A tensor captured on one device can be read on another and goes back unchanged.

use arrakis::models::device::{choose, read};
use arrakis::models::hooks::{ActivationCache, Capture, Plan};
use arrakis::models::{Intervention, Tokens};
use arrakis::prelude::site;

use super::{apart, devices, each_device, load, logits, prompt};

#[test]
fn captures_go_to_any_device_and_patches_come_from_any() {
    each_device(|device| {
        let model = load("llama", device);
        let captured = |capture: Capture| model.run(prompt(), Plan::new().capture(capture)).unwrap().cache;
        let here = captured(Capture::of("*"));
        for other in devices() {
            let there = choose(Some(other)).unwrap().device;
            let moved = captured(Capture::of("*").on(&there));
            let back = moved.to_device(model.device()).unwrap();
            assert_eq!((moved.len(), back.len()), (here.len(), here.len()));
            for (name, value) in moved.iter() {
                assert_eq!(value.device(), &there, "{name}");
                let numbers = |cache: &ActivationCache| cache.activation(name).unwrap().to_vec().unwrap();
                assert_eq!(numbers(&moved), numbers(&here), "{name} from {device} to {other}");
                assert_eq!(numbers(&back), numbers(&here), "{name} from {device} to {other} and back");
            }
            let stream = moved.activation(site::resid_pre(1)).unwrap();
            let other_prompt = Tokens::new(vec![vec![5; 8]; 2]).unwrap();
            let patched = model.run_with_hooks(other_prompt, [(site::resid_pre(1), Intervention::patch(stream))]);
            let apart = apart(&read(patched.unwrap()).unwrap(), &logits(&model, &prompt()));
            assert!(apart < 1e-4, "patched on {device} from {other}: {apart}");
        }
    });
}
