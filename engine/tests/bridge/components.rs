use crate::support::*;
use engine::abi::{ErrorKind, Outcome};

/// A component whose `echo` returns the list that it got: memory is passed through as it is, so that one body serves
/// every item type.
fn echo(types: &str, item: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 16)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get 2))))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 8) (local.get 0))
                    (i32.store (i32.const 12) (local.get 1))
                    (i32.const 8)))
            (core instance $i (instantiate $m))
            {types}
            (type $list (list {item}))
            (func (export "echo") (param "items" $list) (result $list)
                (canon lift (core func $i "echo") (memory $i "memory") (realloc (func $i "realloc")))))"#
    )
}

/// The items come back as they went.
fn round_trip(types: &str, item: &str, values: &[&str]) {
    let items = values.join(",");
    assert_eq!(image(&echo(types, item)).invoke("echo", &format!("[[{items}]]")), format!("[{items}]"));
}

/// What is wrong with one item.
fn refused(types: &str, item: &str, value: &str) -> String {
    image(&echo(types, item)).refuses("echo", &format!("[[{value}]]"))
}

#[test]
fn scalars_survive_the_round_trip() {
    round_trip("", "bool", &["true", "false"]);
    round_trip("", "s8", &["-128", "127"]);
    round_trip("", "u8", &["0", "255"]);
    round_trip("", "s16", &["-32768", "32767"]);
    round_trip("", "u16", &["0", "65535"]);
    round_trip("", "s32", &["-2147483648", "2147483647"]);
    round_trip("", "u32", &["4294967295"]);
    round_trip("", "s64", &["-9007199254740992", "\"-9007199254740993\"", "\"9223372036854775807\""]);
    round_trip("", "u64", &["9007199254740992", "\"9007199254740993\"", "\"18446744073709551615\""]);
    round_trip("", "f32", &["0.1", "-0.0", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]);
    round_trip("", "f64", &["0.1", "1e+300", "-1.12091454291415e+308", "\"NaN\"", "\"-Infinity\""]);
    round_trip("", "char", &["\"a\"", "\"€\"", "\"🦀\""]);
    round_trip("", "string", &["\"\"", r#""Grüße \"q\" \n""#, "\"🦀\""]);
}

#[test]
fn compounds_survive_the_round_trip() {
    round_trip("(type $t (list u16))", "$t", &["[]", "[1,2,3]"]);
    round_trip("(type $t (tuple u8 string))", "$t", &["[1,\"a\"]", "[2,\"\"]"]);
    round_trip("(type $t (option u32))", "$t", &["null", "5"]);
    round_trip("(type $o (option u32)) (type $t (option $o))", "$t", &["null", r#"{"some":null}"#, r#"{"some":5}"#]);
    round_trip("(type $t (result u8 (error string)))", "$t", &[r#"{"ok":1}"#, r#"{"err":"no"}"#]);
    round_trip("(type $t (result))", "$t", &[r#"{"ok":null}"#, r#"{"err":null}"#]);
    round_trip(
        RECORD,
        "$t",
        &[r#"{"street-name":"a","zip":1,"floor":null}"#, r#"{"street-name":"","zip":2,"floor":3}"#],
    );
    round_trip(VARIANT, "$t", &["\"none\"", r#"{"number":7}"#, r#"{"text":"x"}"#]);
    round_trip(ENUM, "$t", &["\"red\"", "\"dark-blue\""]);
    round_trip(FLAGS, "$t", &["[]", "[\"read\"]", "[\"read\",\"write\"]"]);
}

const RECORD: &str = r#"(type $floor (option u8))
    (type $r (record (field "street-name" string) (field "zip" u32) (field "floor" $floor))) (export $t "address" (type $r))"#;
const VARIANT: &str =
    r#"(type $v (variant (case "none") (case "number" u32) (case "text" string))) (export $t "v" (type $v))"#;
const ENUM: &str = r#"(type $e (enum "red" "dark-blue")) (export $t "e" (type $e))"#;
const FLAGS: &str = r#"(type $f (flags "read" "write")) (export $t "f" (type $f))"#;

#[test]
fn values_that_do_not_fit_name_their_path() {
    assert_eq!(refused("", "u8", "256"), "params[0][0]: expected u8, got 256");
    assert_eq!(refused("", "u32", "\"1\""), "params[0][0]: expected u32, got string");
    assert_eq!(refused("", "bool", "0"), "params[0][0]: expected bool, got 0");
    assert_eq!(refused("", "char", "\"ab\""), "params[0][0]: expected char, got a string that is not one character");
    assert_eq!(refused(RECORD, "$t", r#"{"street-name":"a","zip":"b"}"#), "params[0][0].zip: expected u32, got string");
    assert_eq!(refused(RECORD, "$t", r#"{"street-name":"a"}"#), "params[0][0].zip: missing field");
    assert_eq!(refused(RECORD, "$t", r#"{"street-name":"a","zip":1,"city":2}"#), "params[0][0].city: unknown field");
    assert_eq!(refused(VARIANT, "$t", "\"x\""), "params[0][0]: expected one of none, number, text, got \"x\"");
    assert_eq!(refused(VARIANT, "$t", "\"number\""), "params[0][0].number: expected u32, got null");
    assert_eq!(refused(VARIANT, "$t", r#"{"none":1}"#), "params[0][0].none: takes no payload");
    assert_eq!(refused(ENUM, "$t", "\"blue\""), "params[0][0]: expected one of red, dark-blue, got \"blue\"");
    assert_eq!(refused(FLAGS, "$t", "[\"run\"]"), "params[0][0][0]: expected one of read, write, got \"run\"");
    assert_eq!(refused("(type $t (tuple u8 u8))", "$t", "[1]"), "params[0][0]: expected 2 values, got 1");
    let image = image(&echo("", "u8"));
    assert_eq!(image.refuses("echo", "[]"), "params: expected 1 values, got 0");
    assert_eq!(image.refuses("echo", r#"{"items":[],"more":1}"#), "params.more: unknown parameter");
    assert_eq!(image.refuses("echo", "{}"), "params.items: missing parameter");
    assert_eq!(image.refuses("echo", r#"{"items":["x"]}"#), "params.items[0]: expected u8, got string");
}

#[test]
fn an_absent_option_is_none() {
    let image = image(&echo(RECORD, "$t"));
    let returned = image.invoke("echo", r#"{"items":[{"street-name":"a","zip":1}]}"#);
    assert_eq!(returned, r#"[{"street-name":"a","zip":1,"floor":null}]"#);
}

#[test]
fn bytes_may_travel_as_base64() {
    let image = image(&echo("", "u8"));
    for (bytes, base64) in [("[]", ""), ("[1]", "AQ=="), ("[1,2]", "AQI="), ("[255,254,253]", "//79")] {
        assert_eq!(image.invoke("echo", &format!(r#"[{{"base64":"{base64}"}}]"#)), bytes);
        let call = image.start_with("echo", &format!("[{bytes}]"), &grants(), 1).unwrap();
        assert_eq!(call.finish().value, format!(r#"{{"base64":"{base64}"}}"#));
    }
    assert_eq!(image.refuses("echo", r#"[{"base64":"a!"}]"#), "params[0].base64: not valid base64");
}

#[test]
fn a_short_name_means_the_one_function_that_it_fits() {
    let image = image(
        r#"(component
            (core module $m (func (export "one") (result i32) (i32.const 1)) (func (export "two") (result i32) (i32.const 2)))
            (core instance $i (instantiate $m))
            (func $one (result u32) (canon lift (core func $i "one")))
            (func $two (result u32) (canon lift (core func $i "two")))
            (instance $a (export "get" (func $one)) (export "only" (func $one)))
            (instance $b (export "get" (func $two)))
            (export "ns:pkg/a@1.0.0" (instance $a))
            (export "ns:pkg/b@1.2.0" (instance $b))
            (export "top" (func $two)))"#,
    );
    assert_eq!(image.invoke("top", ""), "2");
    assert_eq!(image.invoke("only", ""), "1");
    for name in ["ns:pkg/b@1.2.0#get", "ns:pkg/b#get", "pkg/b#get", "b#get", "b@1.2.0#get"] {
        assert_eq!(image.invoke(name, ""), "2", "{name}");
    }
    let (kind, message) = image.function("get").unwrap_err();
    assert_eq!(kind, ErrorKind::AmbiguousExport);
    assert!(message.contains("ns:pkg/a@1.0.0#get, ns:pkg/b@1.2.0#get"), "{message}");
    assert_eq!(image.function("c#get").unwrap_err().0, ErrorKind::NoSuchExport);
}

#[test]
fn a_component_traps_with_a_backtrace() {
    let image = image(
        r#"(component
            (core module $m (func $f (export "f") unreachable))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f"))))"#,
    );
    let ended = image.start("f", "").unwrap().finish();
    assert_eq!(ended.outcome, Outcome::Trap);
    assert!(ended.backtrace.starts_with("f (m!func[0] +0x"), "{}", ended.backtrace);
}

#[test]
fn an_asynchronous_function_is_called_like_any_other() {
    let image = image(
        r#"(component
            (core module $m
                (import "h" "return" (func $return (param i32)))
                (func (export "f") (param i32) (result i32)
                    (call $return (i32.add (local.get 0) (i32.const 1))) (i32.const 0))
                (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
            (core func $return (canon task.return (result u32)))
            (core instance $i (instantiate $m (with "h" (instance (export "return" (func $return))))))
            (func (export "next") async (param "n" u32) (result u32)
                (canon lift (core func $i "f") async (callback (func $i "callback")))))"#,
    );
    assert_eq!(image.invoke("next", "[41]"), "42");
}

#[test]
fn a_resource_is_no_parameter() {
    let image = image(
        r#"(component
            (type $r (resource (rep i32)))
            (export $r' "thing" (type $r))
            (core module $m (func (export "f") (param i32)))
            (core instance $i (instantiate $m))
            (func (export "use") (param "it" (own $r')) (canon lift (core func $i "f"))))"#,
    );
    assert_eq!(image.refuses("use", "[1]"), "params[0]: a resource cannot be passed as JSON");
}
