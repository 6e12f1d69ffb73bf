use crate::support::*;
use engine::abi::ErrorKind;
use serde_json::json;

fn describe(wat: &str) -> serde_json::Value {
    engine().describe(&wat::parse_str(wat).unwrap()).unwrap()
}

#[test]
fn a_core_module_is_described() {
    let described = describe(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 2 10)
            (func (export "_start"))
            (func (export "add") (param i32 i64) (result f32 v128) unreachable)
            (@custom "note" "12345"))"#,
    );
    assert_eq!(
        described,
        json!({
            "kind": "core", "wasi": "preview1", "http": null, "command": true,
            "imports": [{"name": "wasi_snapshot_preview1#proc_exit", "kind": "func",
                 "params": [{"name": null, "type": "i32"}], "results": []}],
            "exports": [
                {"name": "memory", "kind": "memory", "type": "2 10"},
                {"name": "_start", "kind": "func", "params": [], "results": []},
                {"name": "add", "kind": "func",
                 "params": [{"name": null, "type": "i32"}, {"name": null, "type": "i64"}], "results": ["f32", "v128"]},
            ],
            "memories": [{"initialBytes": 131072, "maximumBytes": 655360}],
            "customSections": [{"name": "note", "bytes": 5}],
            "endlessExports": [],
        })
    );
}

#[test]
fn a_component_is_described_in_wit() {
    let described = describe(
        r#"(component
            (import "wasi:cli/exit@0.2.0" (instance (export "exit" (func (param "status" (result))))))
            (core module $m (func (export "f") (param i32 i32) (result i32) unreachable)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (memory (export "memory") 1))
            (core instance $i (instantiate $m))
            (type $r' (record (field "zip" u32)))
            (export $r "address" (type $r'))
            (type $l (list $r))
            (func (export "places") (param "by" $l) (result string)
                (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc")))))"#,
    );
    assert_eq!(described["kind"], "component");
    assert_eq!(described["wasi"], "0.2");
    assert_eq!(described["imports"], json!([{"name": "wasi:cli/exit@0.2.0", "kind": "instance"}]));
    assert_eq!(
        described["exports"][1],
        json!({"name": "places", "kind": "func",
               "params": [{"name": "by", "type": "list<record { zip: u32 }>"}], "results": ["string"]})
    );
}

#[test]
fn only_what_certainly_never_returns_is_called_endless() {
    let described = describe(
        r#"(module
            (memory 1)
            (func (export "spin") (loop (br 0)))
            (func (export "count") (local i32)
                (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))
            (func (export "prefix") (local i32) (local.set 0 (i32.const 5)) nop (loop (br 0)))
            (func (export "leaves") (param i32) (block (loop (br_if 1 (local.get 0)) (br 0))))
            (func (export "returns") (loop return (br 0)))
            (func (export "calls") (loop (call 0) (br 0)))
            (func (export "traps") (loop (drop (i32.load (i32.const 0))) (br 0)))
            (func (export "outer") (block (loop (br 1)))))"#,
    );
    assert_eq!(described["endlessExports"], json!(["spin", "count", "prefix"]));
}

#[test]
fn a_body_that_is_not_valid_is_refused() {
    let wat = r#"(module (func (export "f") (result i32) (i64.const 1)))"#;
    let (kind, message) = engine().describe(&wat::parse_str(wat).unwrap()).unwrap_err();
    assert_eq!(kind, ErrorKind::InvalidBinary);
    assert!(message.contains("type mismatch") && message.contains("offset"), "{message}");
    assert_eq!(engine().describe(b"<html>").unwrap_err().0, ErrorKind::InvalidBinary);
}
