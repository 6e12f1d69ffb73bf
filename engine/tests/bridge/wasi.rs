use crate::support::*;
use engine::abi::{ErrorKind, Outcome, Pair};

/// Copies standard input to standard output, in pieces of 64 bytes, then writes "!" to standard error.
const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 32) "!")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 100))
        (block $end (loop $more
            (i32.store (i32.const 4) (i32.const 64))
            (br_if $end (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if $end (i32.eqz (i32.load (i32.const 8))))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br $more)))
        (i32.store (i32.const 0) (i32.const 32))
        (i32.store (i32.const 4) (i32.const 1))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[test]
fn a_command_reads_its_input_and_its_output_is_captured() {
    let image = image(CAT);
    let input = "0123456789".repeat(20);
    let mut grants = grants();
    grants.stdin_bytes = slice(&input);
    let ended = image.command(&grants).unwrap().finish();
    assert_eq!((ended.outcome, ended.stdout.as_str(), ended.stderr.as_str()), (Outcome::Ok, input.as_str(), "!"));
    assert_eq!(ended.value, "null");
}

#[test]
fn output_beyond_the_bound_ends_the_call() {
    let image = image(CAT);
    let input = "0123456789".repeat(20);
    let mut grants = grants();
    grants.stdin_bytes = slice(&input);
    grants.max_output_bytes = 150;
    let ended = image.command(&grants).unwrap().finish();
    assert_eq!(ended.outcome, Outcome::OutputTooLarge);
    assert_eq!(ended.stdout.len(), 128, "what fitted is kept");
}

fn exiting(code: u32) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const {code})))
            (func (export "leave") (call $exit (i32.const {code}))))"#
    )
}

#[test]
fn a_command_ends_with_its_exit_code() {
    let ended = image(&exiting(7)).command(&grants()).unwrap().finish();
    assert_eq!((ended.outcome, ended.exit_code), (Outcome::Exit, 7));
    let ended = image(&exiting(0)).command(&grants()).unwrap().finish();
    assert_eq!((ended.outcome, ended.exit_code), (Outcome::Ok, 0));
    let ended = image(&exiting(0)).start("leave", "").unwrap().finish();
    assert_eq!((ended.outcome, ended.exit_code), (Outcome::Exit, 0), "a function has to return");
}

#[test]
fn a_module_without_start_is_no_command() {
    let Err((kind, message)) = image("(module)").command(&grants()) else { panic!("started") };
    assert_eq!(kind, ErrorKind::NoSuchExport);
    assert!(message.contains("_start"), "{message}");
}

/// Counts the variables, arguments and preopened directories that the guest sees, as a three-digit number.
const SEEN: &str = r#"(module
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "seen") (result i32) (local $fd i32)
        (drop (call $env (i32.const 0) (i32.const 8)))
        (drop (call $args (i32.const 4) (i32.const 8)))
        (local.set $fd (i32.const 3))
        (block $end (loop $more
            (br_if $end (call $prestat (local.get $fd) (i32.const 16)))
            (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
            (br $more)))
        (i32.add (i32.mul (i32.const 100) (i32.load (i32.const 0)))
            (i32.add (i32.mul (i32.const 10) (i32.load (i32.const 4)))
                (i32.sub (local.get $fd) (i32.const 3))))))"#;

#[test]
fn a_guest_sees_what_it_is_granted_and_nothing_else() {
    let image = image(SEEN);
    assert_eq!(image.invoke("seen", ""), "0");
    let env = [Pair { name: slice("A"), value: slice("1") }, Pair { name: slice("B"), value: slice("") }];
    let args = [slice("program")];
    let temporary = std::env::temp_dir();
    let host = slice(temporary.to_str().unwrap());
    let directories = [engine::abi::Directory { host, guest: slice("/"), writable: false }];
    let mut granted = grants();
    (granted.env, granted.env_count) = (env.as_ptr(), env.len());
    (granted.args, granted.args_count) = (args.as_ptr(), args.len());
    (granted.directories, granted.directories_count) = (directories.as_ptr(), directories.len());
    assert_eq!(image.start_with("seen", "", &granted, 0).unwrap().finish().value, "211");

    let directories = [engine::abi::Directory { host: slice("/no/such/folder"), guest: slice("/"), writable: true }];
    granted.directories = directories.as_ptr();
    let Err((kind, message)) = image.start_with("seen", "", &granted, 0) else { panic!("started") };
    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("/no/such/folder"), "{message}");
}

#[test]
fn a_sleeping_guest_is_woken() {
    let image = image(
        r#"(module
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "nap") (result i32)
                (i32.store (i32.const 16) (i32.const 1))
                (i64.store (i32.const 24) (i64.const 5000000))
                (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"#,
    );
    assert_eq!(image.invoke("nap", ""), "0");
}

#[test]
fn everything_that_is_offered_is_listed() {
    let offers = engine().offers();
    let has = |kind: &str, name: &str| offers[kind].as_array().unwrap().iter().any(|offer| offer == name);
    assert!(has("core", "wasi_snapshot_preview1#fd_write"));
    assert!(has("component", "wasi:http/outgoing-handler@0.2.12"));
    assert!(has("component", "wasi:cli/stdout@0.3.0"));
}

#[test]
fn a_component_is_a_command_too() {
    let run = |value: u32| {
        let image = image(&format!(
            r#"(component
                (core module $m (func (export "run") (result i32) (i32.const {value})))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $exported (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $exported)))"#
        ));
        let ended = image.command(&grants()).unwrap().finish();
        (ended.outcome, ended.exit_code)
    };
    assert_eq!(run(0), (Outcome::Ok, 0));
    assert_eq!(run(1), (Outcome::Exit, 1));
}
