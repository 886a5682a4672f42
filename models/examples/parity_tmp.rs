//! tmp
use arrakis_models::parity::*; use std::path::Path;
fn main() {
    for folder in std::env::args().skip(1) {
        let r = (|| { let m = arrakis_models::HookedAutoModel::load(&folder, &arrakis_models::LoadOptions{device: Some("cpu".into()), quiet: true})?;
            let f = Path::new(&folder); let p = if f.join("reference.safetensors").exists() { f.join("reference.safetensors") } else { f.join("open.safetensors") };
            compare(&m, &Reference::open(&p)?, ParityOptions::default()) })();
        match r { Err(e) => println!("{folder}: ERROR {e}"), Ok(r) => {
            println!("{folder}: {} rows, passed {}, skipped {:?}, missing {:?}", r.rows.len(), r.passed(), r.skipped, r.missing);
            for row in r.failures().take(6) { println!("    {} abs {:.3e} rel {:.3e} largest {:.3} at {:?} {}", row.quantity, row.max_abs, row.max_rel, row.largest, row.worst_at, row.note); }
            if std::env::var("ALL").is_ok() { for row in &r.rows { println!("  {:40} {:.2e} {:.2e} {:.2e} {} {}", row.quantity, row.max_abs, row.max_rel, row.largest, row.compared, row.note); } }
        } }
    }
}
