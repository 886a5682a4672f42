use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;

use super::*;

#[derive(Serialize)]
struct Kept {
    score: f64,
    heads: HashSet<u32>,
}

#[derive(Debug)]
struct Printed(#[allow(dead_code, reason = "read by Debug")] u8);

struct Silent(#[allow(dead_code, reason = "only its size matters")] u8);

fn warning(shown: Shown) -> String {
    shown.hidden.unwrap().of_argument("x")
}

#[test]
fn the_best_way_to_write_a_value_is_found() {
    let kept = Kept { score: f64::NAN, heads: [2, 1].into() };
    assert_eq!(__show!(&kept).value.to_string(), r#"{"score":{"$float":"NaN"},"heads":[1,2]}"#);
    assert_eq!(__show!(&Printed(3)).value["debug"], "Printed(3)");
    assert_eq!(__show!(&"text"), Shown::from(Value::from("text")));
    let silent = __show!(&Silent(3));
    assert!(silent.value["type"].as_str().unwrap().ends_with("Silent"));
    assert_eq!(silent.value["problem"], "it implements neither `Serialize` nor `Debug`");
}

#[test]
fn a_generic_value_is_written_by_its_bounds() {
    fn bounded<T: Serialize>(value: &T) -> Value {
        __show!(value).value
    }
    fn unbounded<T>(value: &T) -> Value {
        __show!(value).value
    }
    assert_eq!(bounded(&3), 3);
    assert_eq!(unbounded(&3)["type"], "i32");
}

#[test]
fn values_that_cannot_be_written_are_counted_and_warned_of_in_every_shape() {
    let silent = || Silent(1);
    assert_eq!(__show!(&vec![silent(), silent()]).value["length"], 2);
    assert_eq!(__show!(&&[silent()][..]).value["length"], 1);
    assert_eq!(__show!(&None::<Silent>).value["length"], 0);
    assert_eq!(__show!(&[silent(), silent()]).value["length"], 2);
    let tuple = __show!(&(1, silent()));
    assert!(tuple.value["type"].as_str().unwrap().starts_with("(i32, "));
    for shown in [__show!(&vec![silent()]), __show!(&Some(silent())), tuple] {
        assert!(warning(shown).ends_with("`: it implements neither `Serialize` nor `Debug`"));
    }
}

#[test]
fn an_address_is_shown_by_its_type_and_a_function_is_its_type() {
    let pointer: fn(u32) -> u32 = u32::isqrt;
    assert_eq!(
        warning(__show!(&pointer)),
        "the argument `x` is in the version by its type alone, `fn(u32) -> u32`: \
         its debug text holds an address, which differs between processes"
    );
    assert_eq!(__show!(&u32::isqrt).hidden, None);
}

#[test]
fn two_closures_of_one_function_have_one_type_name() {
    for closure in [__show!(&|x: u32| x), __show!(&|x: u32| x + 1)] {
        assert!(warning(closure).ends_with("a closure has no name, and its code does not enter the version"));
    }
}

#[test]
fn a_text_that_leaves_fields_out_is_warned_of() {
    #[derive(Debug)]
    struct Sending(#[allow(dead_code, reason = "read by Debug")] std::sync::mpsc::Sender<u8>);
    assert_eq!(
        warning(__show!(&Sending(std::sync::mpsc::channel().0))),
        "the argument `x` is in the version in part: its debug text leaves fields out (`..`)"
    );
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_comes_back() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt as _;
    let path = Path::new(OsStr::from_bytes(b"a\xff"));
    let read = |shown: &Value| lossless::from_value::<OsString>(shown).unwrap();
    assert_eq!(read(&__show!(&path).value), path);
    let several = __show!(&vec![Some(path.to_owned()), None, Some(PathBuf::from("b"))]);
    assert_eq!(
        (read(&several.value[0]), &several.value[1], &several.value[2]),
        (path.into(), &Value::Null, &"b".into())
    );
    assert_eq!((several.hidden, __show!(&Path::new("b")).value), (None, Value::from("b")));
}

#[test]
fn a_value_that_serde_cannot_write_is_written_by_debug() {
    #[derive(Debug, Serialize)]
    struct Fails(#[serde(serialize_with = "fail")] (u64, u64));
    fn fail<S: serde::Serializer>(_: &(u64, u64), _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no JSON"))
    }
    assert_eq!(__show!(&Fails((3, 4))).value["debug"], "Fails((3, 4))");
}

#[test]
fn a_taken_lock_is_not_waited_for() {
    #[derive(Serialize)]
    struct Holds<'a>(Option<&'a Mutex<Vec<i32>>>);
    let lock = Mutex::new(vec![1]);
    assert_eq!(__show!(&lock).value["debug"], "Mutex { data: [1], poisoned: false, .. }");
    let guard = lock.lock().unwrap();
    assert!(warning(__show!(&&lock)).contains("it holds a lock"));
    assert!(warning(__show!(&Holds(Some(&lock)))).contains("which writing it would wait for"));
    drop(guard);
}

#[test]
fn a_value_without_end_is_cut() {
    #[derive(Debug)]
    struct Node(#[allow(dead_code, reason = "read by Debug")] RefCell<Option<Rc<Node>>>);
    struct Endless;
    impl Debug for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            loop {
                f.write_str("and so on, ")?;
            }
        }
    }
    struct Counts;
    impl Serialize for Counts {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(std::iter::repeat("and so on, ".repeat(1 << 16)))
        }
    }

    let node = Rc::new(Node(RefCell::default()));
    *node.0.borrow_mut() = Some(Rc::clone(&node));
    assert!(warning(__show!(&node)).ends_with("it is nested too deeply, or holds itself"));
    *node.0.borrow_mut() = None;
    assert!(warning(__show!(&Endless)).ends_with("its debug text is longer than 16 MiB"));
    assert!(warning(__show!(&Counts)).ends_with("it is larger than 256 MiB"));
}

#[test]
fn a_panic_while_a_value_is_written_is_a_problem() {
    struct Panics;
    impl Debug for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    assert!(warning(__show!(&Panics)).ends_with("writing it panics"));
}
