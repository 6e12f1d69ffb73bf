use crate::support::*;
use engine::abi::{Config, Outcome, Poll};
use std::sync::atomic::Ordering::SeqCst;

const GROW: &str = r#"(module
    (memory (export "memory") 1)
    (memory 1)
    (table $t 10 funcref)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow-table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))"#;

fn limited(image: &Image, function: &str, params: &str, memory: u64) -> Ended {
    let mut grants = grants();
    grants.max_memory_bytes = memory;
    image.start_with(function, params, &grants, 0).unwrap().finish()
}

#[test]
fn all_memories_and_tables_count_together() {
    let image = image(GROW);
    let page = 65536;
    let ended = limited(&image, "grow", "[1]", 3 * page + 80);
    assert_eq!((ended.outcome, ended.value.as_str()), (Outcome::Ok, "1"));
    assert_eq!(ended.peak_memory, 3 * page + 80);
    let ended = limited(&image, "grow", "[2]", 3 * page + 80);
    assert_eq!(ended.outcome, Outcome::OutOfMemory);
    assert!(ended.message.contains("memory limit"), "{}", ended.message);
    let ended = limited(&image, "grow-table", "[1000]", 2 * page + 80);
    assert_eq!(ended.outcome, Outcome::OutOfMemory);
    let ended = limited(&image, "grow", "[0]", page);
    assert_eq!(ended.outcome, Outcome::OutOfMemory, "the initial memories alone are too large");
}

#[test]
fn a_memory_at_its_own_maximum_refuses_to_grow_without_ending_the_call() {
    let image = image(r#"(module (memory 1 2) (func (export "grow") (result i32) (memory.grow (i32.const 5))))"#);
    assert_eq!(image.invoke("grow", ""), "-1");
}

#[test]
fn a_spinning_guest_yields_at_every_tick_until_it_is_cancelled() {
    let image = image(r#"(module (memory 1) (func (export "spin") (loop (br 0))))"#);
    let mut call = image.start("spin", "").unwrap();
    let (waker, woken) = waker();
    for _ in 0..5 {
        assert_eq!(call.poll(&waker), Poll::Yielded);
    }
    assert_eq!(woken.load(SeqCst), 0, "who yields is polled again without a wake");
    call.cancel();
    let ended = call.ended();
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert_eq!(ended.yields, 5);
    assert_eq!(ended.peak_memory, 65536);
    call.cancel();
}

#[test]
fn the_pool_runs_out_and_recovers() {
    let engine = Engine::new(&Config { pool_instances: 1, ..SMALL }).unwrap();
    let binary = wat::parse_str(
        r#"(module (memory 1) (memory 1) (memory 1) (memory 1) (func (export "spin") (loop (br 0)))
            (func (export "one") (result i32) (i32.const 1)))"#,
    );
    let image = engine.link(&engine.compile(&binary.unwrap()).unwrap(), 0).unwrap();
    let mut first = image.start("spin", "").unwrap();
    assert_eq!(first.poll(&waker().0), Poll::Yielded);
    let second = image.start("one", "").unwrap().finish();
    assert_eq!(second.outcome, Outcome::PoolExhausted, "{}", second.message);
    first.cancel();
    assert_eq!(image.invoke("one", ""), "1");
}

#[test]
fn a_result_beyond_the_bound_ends_the_call() {
    let image = image(r#"(module (func (export "wide") (result i64) (i64.const 1234567890123)))"#);
    let mut grants = grants();
    grants.max_output_bytes = 12;
    let ended = image.start_with("wide", "", &grants, 0).unwrap().finish();
    assert_eq!(ended.outcome, Outcome::OutputTooLarge);
    grants.max_output_bytes = 13;
    assert_eq!(image.start_with("wide", "", &grants, 0).unwrap().finish().value, "1234567890123");
}

#[test]
fn an_engine_without_a_pool_works_too() {
    let engine = Engine::new(&Config { pool_instances: 0, wasi03: false, ..SMALL }).unwrap();
    let binary = wat::parse_str(r#"(module (memory 1) (func (export "one") (result i32) (i32.const 1)))"#).unwrap();
    let image = engine.link(&engine.compile(&binary).unwrap(), 1).unwrap();
    assert_eq!(image.invoke("one", ""), "1");
}
