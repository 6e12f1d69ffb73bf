use crate::support::*;
use engine::abi::{ErrorKind, Outcome};

const SCALARS: &str = r#"(module
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func (export "v128") (param v128) (result v128) (local.get 0))
    (func (export "swap") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
    (func (export "nothing"))
    (func (export "funcref") (param funcref)))"#;

#[test]
fn a_function_takes_and_returns_numbers() {
    let image = image(SCALARS);
    assert_eq!(image.invoke("add", "[2, 40]"), "42");
    assert_eq!(image.invoke("swap", "[1, 2.5]"), "[2.5,1]");
    assert_eq!(image.invoke("nothing", ""), "null");
}

#[test]
fn every_scalar_survives_the_round_trip() {
    let image = image(SCALARS);
    for (function, values) in [
        ("i32", vec!["0", "-1", "2147483647", "-2147483648"]),
        ("i64", vec!["9007199254740992", "-5", "\"9223372036854775807\"", "\"-9223372036854775808\""]),
        ("f32", vec!["0.1", "-0.0", "3.4028235e38", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]),
        ("f64", vec!["0.1", "1e300", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]),
        ("v128", vec!["\"0x000102030405060708090a0b0c0d0e0f\""]),
    ] {
        for value in values {
            let returned = image.invoke(function, &format!("[{value}]"));
            let same = returned.parse::<f64>().ok().zip(value.parse::<f64>().ok()).is_some_and(|(a, b)| a == b);
            assert!(same || returned == value, "{function}: {value} became {returned}");
        }
    }
    assert_eq!(image.invoke("i32", "[4294967295]"), "-1");
    assert_eq!(image.invoke("i64", "[\"18446744073709551615\"]"), "-1");
    assert_eq!(image.invoke("i64", "[\"12\"]"), "12");
    assert_eq!(image.invoke("v128", "[\"255\"]"), "\"0x000000000000000000000000000000ff\"");
}

#[test]
fn parameters_that_do_not_fit_name_their_path() {
    let image = image(SCALARS);
    assert_eq!(image.refuses("add", "[1]"), "params: expected 2 values, got 1");
    assert_eq!(image.refuses("add", r#"["a", 1]"#), "params[0]: expected i32, got string");
    assert_eq!(image.refuses("add", "[1, 4294967296]"), "params[1]: expected i32, got 4294967296");
    assert_eq!(image.refuses("add", "[1, 1.5]"), "params[1]: expected i32, got 1.5");
    assert_eq!(image.refuses("f32", "[1e39]"), "params[0]: expected f32, got 1e+39");
    assert!(image.refuses("add", r#"{"a": 1}"#).starts_with("params: expected array"));
    assert!(image.refuses("add", "[1,").starts_with("params: not valid JSON"));
    assert!(image.refuses("funcref", "[null]").starts_with("params[0]: "));
    assert!(image.refuses("v128", "[\"0xzz\"]").starts_with("params[0]: expected v128"));
}

#[test]
fn an_unknown_function_is_answered_with_the_known_ones() {
    let (kind, message) = image(SCALARS).function("sub").unwrap_err();
    assert_eq!(kind, ErrorKind::NoSuchExport);
    assert!(message.contains("\"sub\"") && message.contains("add, i32, i64"), "{message}");
}

#[test]
fn a_trap_has_a_message_and_a_backtrace() {
    let image = image(
        r#"(module $calc
            (func $inner unreachable)
            (func $outer (export "run") (call $inner)))"#,
    );
    let ended = image.start("run", "").unwrap().finish();
    assert_eq!(ended.outcome, Outcome::Trap);
    assert_eq!(ended.message, "wasm trap: wasm `unreachable` instruction executed");
    assert_eq!(ended.backtrace, "inner (calc!func[0] +0x0)\nouter (calc!func[1] +0x1)");
}

#[test]
fn a_stack_overflow_is_a_trap() {
    let image = image(r#"(module (func $f (export "f") (call $f)))"#);
    let ended = image.start("f", "").unwrap().finish();
    assert_eq!(ended.outcome, Outcome::Trap);
    assert!(ended.message.contains("stack"), "{}", ended.message);
}

#[test]
fn a_reactor_is_initialized_in_each_fresh_instance() {
    let image = image(
        r#"(module
            (global $n (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $n (i32.const 41)))
            (func (export "next") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1)))
                (global.get $n)))"#,
    );
    assert_eq!(image.invoke("next", ""), "42");
    assert_eq!(image.invoke("next", ""), "42");
}

#[test]
fn an_import_that_is_not_offered_is_named() {
    let binary = wat::parse_str(r#"(module (import "env" "launch" (func)))"#).unwrap();
    let code = engine().compile(&binary).unwrap();
    let Err((kind, message)) = engine().link(&code, 7) else { panic!("linked") };
    assert_eq!(kind, ErrorKind::Link);
    assert!(message.contains("env") && message.contains("launch"), "{message}");
    let Err((kind, _)) = engine().link(&code, 64) else { panic!("linked") };
    assert_eq!(kind, ErrorKind::Config);
}

#[test]
fn a_binary_that_is_not_valid_is_refused_with_its_offset() {
    let Err((kind, message)) = engine().compile(b"\0asm\x01\0\0\0\x01\x05") else { panic!("compiled") };
    assert_eq!(kind, ErrorKind::InvalidBinary);
    assert!(message.contains("offset"), "{message}");
}

#[test]
fn machine_code_is_loaded_from_its_file_and_nothing_else_is() {
    let code = engine().compile(&wat::parse_str(SCALARS).unwrap()).unwrap();
    let folder = std::env::temp_dir().join(format!("engine-cache-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("code");
    std::fs::write(&file, code.serialize()).unwrap();
    let loaded = engine().deserialize(&file).unwrap();
    assert_eq!(engine().link(&loaded, 0).unwrap().invoke("add", "[1, 2]"), "3");

    let other = Engine::new(&engine::abi::Config { wasi03: false, ..SMALL }).unwrap();
    assert_ne!(other.fingerprint(), engine().fingerprint());
    // Another file: the first one is mapped.
    let file = folder.join("text");
    std::fs::write(&file, b"not machine code").unwrap();
    let Err((kind, _)) = engine().deserialize(&file) else { panic!("loaded") };
    assert_eq!(kind, ErrorKind::IncompatibleCache);
    let Err((kind, _)) = engine().deserialize(&folder.join("absent")) else { panic!("loaded") };
    assert_eq!(kind, ErrorKind::IncompatibleCache);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn freeing_nothing_is_allowed() {
    free_nothing();
}
