use crate::support::*;
use engine::abi::ErrorKind;
use serde_json::{Value, json};

fn parse(packages: &[&[(&str, &str)]]) -> Value {
    serde_json::from_str(&wit_parse(packages, true).unwrap()).unwrap()
}

fn problem(packages: &[&[(&str, &str)]]) -> Value {
    let (kind, message) = wit_parse(packages, false).unwrap_err();
    assert_eq!(kind, ErrorKind::Wit);
    serde_json::from_str(&message).unwrap()
}

#[test]
fn a_package_is_described_with_what_it_depends_on() {
    let described = parse(&[
        &[
            ("a.wit", "package a:b@1.0.0;\n/// Sold.\ninterface i { use c:d/t.{r}; f: async func(x: r); }"),
            ("b.wit", "world w { import i; export wasi:cli/run@0.2.12; }"),
        ],
        &[("t.wit", "package c:d;\ninterface t { record r { a: u8 } @unstable(feature = x) g: func(); }")],
    ]);
    assert_eq!((&described["kind"], &described["world"]), (&json!("package"), &Value::Null));
    let resolve = &described["resolve"];
    let main = &resolve["packages"][described["main"].as_u64().unwrap() as usize];
    assert_eq!(main["name"], "a:b@1.0.0");
    let names: Vec<_> = resolve["packages"].as_array().unwrap().iter().map(|package| &package["name"]).collect();
    assert!(names.contains(&&json!("c:d")) && names.contains(&&json!("wasi:cli@0.2.12")), "{names:?}");
    let interface = |name: &str| resolve["interfaces"].as_array().unwrap().iter().find(|i| i["name"] == name).unwrap();
    assert_eq!(interface("i")["functions"]["f"]["kind"], "async-freestanding");
    assert_eq!(interface("i")["docs"]["contents"], "Sold.");
    assert_eq!(interface("t")["functions"]["g"]["stability"]["unstable"]["feature"], "x");
}

#[test]
fn documentation_is_left_out_where_nobody_asks_for_it() {
    let text = "package a:b;\n/// Secret.\ninterface i { /// Secret.\n record r { /// Secret.\n a: u8 } /// Secret.\n f: func(); }";
    assert!(wit_parse(&[&[("a.wit", text)]], true).unwrap().contains("Secret"));
    assert!(!wit_parse(&[&[("a.wit", text)]], false).unwrap().contains("Secret"));
}

#[test]
fn an_error_says_where_it_is() {
    let told = problem(&[&[("a.wit", "package a:b;\ninterface i {\n  /* é */ f: func(x: nothing);\n}\n")]]);
    assert_eq!(
        told,
        json!({"file": "a.wit", "line": 3, "column": 22, "width": 7, "text": "  /* é */ f: func(x: nothing);",
               "message": "name `nothing` does not exist"})
    );
    let told =
        problem(&[&[("a.wit", "package a:b;\ninterface i { use c:d/e.{f}; }")], &[("c.wit", "package c:other;")]]);
    assert_eq!((&told["file"], &told["line"]), (&json!("a.wit"), &json!(2)));
    let told = problem(&[&[("a.wit", "package a:b;\n")], &[("b.wit", "package a:b;\n")]]);
    assert!(told["message"].as_str().unwrap().contains("two different locations"), "{told}");
}

#[test]
fn types_nested_without_end_are_refused() {
    let deep =
        format!("package a:b;\ninterface i {{ f: func(x: {}u8{}); }}", "list<".repeat(100_000), ">".repeat(100_000));
    assert!(problem(&[&[("a.wit", &deep)]])["message"].as_str().unwrap().contains("too deep"));
}

#[test]
fn a_component_is_a_world() {
    let component = wat::parse_str(
        r#"(component
            (import "a:b/c@1.0.0" (instance (export "f" (func (param "x" u32) (result string)))))
            (core module $m (func (export "g") (result i32) (i32.const 1)))
            (core instance $i (instantiate $m))
            (func (export "g") (result u32) (canon lift (core func $i "g"))))"#,
    )
    .unwrap();
    let described: Value = serde_json::from_str(&wit_decode(&component).unwrap()).unwrap();
    assert_eq!(described["kind"], "component");
    let world = &described["resolve"]["worlds"][described["world"].as_u64().unwrap() as usize];
    assert_eq!(world["imports"].as_object().unwrap().len(), 1);
    assert_eq!(world["exports"]["g"]["function"]["result"], "u32");
}

#[test]
fn a_core_module_has_no_interfaces() {
    let (kind, message) = wit_decode(&wat::parse_str("(module)").unwrap()).unwrap_err();
    assert_eq!(kind, ErrorKind::InvalidBinary);
    assert!(message.contains("core module"), "{message}");
}

#[test]
fn the_semver_check_takes_two_packages_of_one_version() {
    let world = |export: &str| format!("package a:b@1.0.0;\nworld w {{ export f: func({export}); }}");
    let check = |old: &str, new: &str| -> Value {
        let verdict = wit_semver_check(&[&[("a.wit", &world(old))]], &[&[("a.wit", &world(new))]], "w");
        serde_json::from_str(&verdict.unwrap()).unwrap()
    };
    assert_eq!(check("", ""), json!({"compatible": true}));
    assert_eq!(check("", "x: u8")["compatible"], false);
}

#[test]
fn a_world_is_core_functions_by_the_canonical_abi() {
    let text =
        "package a:b;\ninterface i { f: func(x: string) -> list<u8>; }\nworld w { import i; export g: func() -> u64; }";
    let functions: Value = serde_json::from_str(&wit_core_functions(&[&[("a.wit", text)]], "w").unwrap()).unwrap();
    assert_eq!(
        functions,
        json!({"imports": [{"name": "a:b/i#f", "params": ["i32", "i32", "i32"], "results": []}],
               "exports": [{"name": "g", "params": [], "results": ["i64"]}]})
    );
}

#[test]
fn preview_1_is_what_the_linker_has() {
    let modules: Value = serde_json::from_str(&wit_preview1()).unwrap();
    let mut described = Vec::new();
    for module in modules.as_array().unwrap() {
        for function in module["functions"].as_array().unwrap() {
            let name = format!("{}#{}", module["module"].as_str().unwrap(), function["name"].as_str().unwrap());
            // The description is right where a module that imports exactly that links.
            let list = |key: &str| {
                let types: Vec<_> = function[key].as_array().unwrap().iter().map(|ty| ty.as_str().unwrap()).collect();
                types.join(" ")
            };
            let (params, results) = (list("params"), list("results"));
            let text = format!(
                r#"(module (import {} {} (func (param {params}) (result {results}))))"#,
                module["module"], function["name"]
            );
            image(&text);
            described.push(name);
        }
    }
    let mut offered: Vec<_> =
        engine().offers()["core"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect();
    described.sort();
    offered.sort();
    assert_eq!(described, offered);
}
