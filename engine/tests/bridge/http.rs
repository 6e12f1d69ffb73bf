use crate::support::*;
use engine::abi::{ErrorKind, HttpRequest, Outcome, Pair, Poll, Slice};
use std::sync::OnceLock;

fn handler() -> &'static Image {
    static HANDLER: OnceLock<Image> = OnceLock::new();
    HANDLER.get_or_init(|| image(include_str!("handler.wat")))
}

fn request<'a>(path: &'a str, headers: &'a [Pair], body: Option<&'a str>) -> HttpRequest {
    HttpRequest {
        method: slice("POST"),
        scheme: slice("http"),
        authority: slice("example.com:8080"),
        path_and_query: slice(path),
        headers: headers.as_ptr(),
        headers_count: headers.len(),
        body: slice(body.unwrap_or_default()),
        body_complete: body.is_some(),
    }
}

fn call(path: &str, body: Option<&str>) -> Call {
    handler().http(&grants(), &request(path, &[], body)).unwrap()
}

fn pair(name: &'static str, value: &'static str) -> Pair {
    Pair { name: slice(name), value: slice(value) }
}

#[test]
fn a_whole_response_arrives_head_first() {
    let mut call = call("/hello", Some(""));
    assert_eq!(call.next(), Poll::Head);
    assert_eq!(call.status(), 201);
    assert_eq!(call.fields(), [("x-kind".to_string(), "test".to_string())]);
    assert_eq!(call.size(), 5, "known, because the body is complete");
    assert_eq!(call.next(), Poll::Body);
    assert_eq!(call.chunk(), b"hello");
    assert_eq!(call.next(), Poll::Done);
    let ended = call.ended();
    assert_eq!((ended.outcome, ended.value.as_str()), (Outcome::Ok, "null"));
}

#[test]
fn a_body_streams_both_ways_with_its_trailers() {
    let mut call = call("/copy", None);
    assert_eq!(call.next(), Poll::Head);
    assert_eq!(call.size(), u64::MAX);
    let (waker, woken) = waker();
    assert_eq!(call.poll(&waker), Poll::Pending);
    for piece in ["one", "two"] {
        assert!(call.write(piece.as_bytes()));
        assert!(woken.load(std::sync::atomic::Ordering::SeqCst) > 0, "the guest may go on");
        assert_eq!(call.next(), Poll::Body);
        assert_eq!(call.chunk(), piece.as_bytes());
    }
    call.end_body(&[pair("x-sum", "6")]);
    assert_eq!(call.next(), Poll::Trailers);
    assert_eq!(call.fields(), [("x-sum".to_string(), "6".to_string())]);
    assert_eq!(call.next(), Poll::Done);
    assert_eq!(call.ended().outcome, Outcome::Ok);
}

#[test]
fn a_large_body_is_held_back_in_both_directions() {
    let mut call = call("/copy", None);
    assert_eq!(call.room(), 65536);
    assert!(call.write(&[7; 65536]));
    assert_eq!(call.room(), 0);
    assert!(!call.write(&[7]), "more than there is room for");
    assert_eq!(call.next(), Poll::Head);
    let (mut sent, mut received) = (65536, 0);
    loop {
        if sent < 1 << 20 {
            let room = call.room().min((1 << 20) - sent);
            assert!(call.write(&vec![7; room]));
            sent += room;
            if sent == 1 << 20 {
                call.end_body(&[]);
            }
        }
        match call.next() {
            Poll::Body => received += call.chunk().len(),
            other => break assert_eq!(other, Poll::Done),
        }
        assert!(sent - received <= 4 * 65536, "{sent} bytes in, {received} out");
    }
    assert_eq!(received, 1 << 20);
}

#[test]
fn a_sender_that_goes_away_is_an_error_to_the_guest() {
    let mut call = call("/copy", None);
    assert_eq!(call.next(), Poll::Head);
    call.abort_body();
    assert_eq!(call.next(), Poll::Done);
    assert_eq!(call.ended().outcome, Outcome::Trap, "this guest traps when reading fails");
    assert_eq!(call.room(), 0);
}

#[test]
fn a_guest_without_a_response_is_told_apart_from_one_that_traps() {
    let ended = call("/none", Some("")).finish();
    assert_eq!(ended.outcome, Outcome::NoResponse);
    assert!(ended.message.contains("without"), "{}", ended.message);
    let ended = call("/error", Some("")).finish();
    assert_eq!(ended.outcome, Outcome::NoResponse);
    assert!(ended.message.contains("HttpRequestDenied"), "{}", ended.message);
    let mut call = call("/trap", Some(""));
    let first = call.next();
    if first == Poll::Head {
        assert_eq!(call.next(), Poll::Done);
    }
    assert_eq!(call.ended().outcome, Outcome::Trap);
    assert!(call.ended().backtrace.contains("handle"), "{}", call.ended().backtrace);
}

#[test]
fn a_client_that_leaves_stops_a_spinning_guest() {
    let mut call = call("/spin", Some(""));
    assert_eq!(call.next(), Poll::Head, "the head does not wait for the guest");
    assert_eq!(call.poll(&waker().0), Poll::Yielded);
    call.cancel();
    assert_eq!(call.ended().outcome, Outcome::Cancelled);
}

#[test]
fn a_request_that_is_not_http_is_refused() {
    let bad = [pair("bad name", "x")];
    let Err((kind, message)) = handler().http(&grants(), &request("/hello", &bad, Some(""))) else {
        panic!("accepted")
    };
    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("bad name"), "{message}");
    let mut request = request("/hello", &[], Some(""));
    request.authority = Slice::of(b"a b");
    assert!(handler().http(&grants(), &request).is_err());
    let core = image("(module)");
    request.authority = slice("localhost");
    let Err((kind, _)) = core.http(&grants(), &request) else { panic!("accepted") };
    assert_eq!(kind, ErrorKind::NoSuchExport);
}

fn handler03() -> &'static Image {
    static HANDLER: OnceLock<Image> = OnceLock::new();
    HANDLER.get_or_init(|| image(include_str!("handler03.wat")))
}

#[test]
fn an_asynchronous_handler_streams_what_the_host_connects() {
    let mut call = handler03().http(&grants(), &request("/", &[], None)).unwrap();
    assert_eq!(call.next(), Poll::Head);
    assert_eq!(call.status(), 200);
    for piece in ["one", "two"] {
        assert!(call.write(piece.as_bytes()));
        assert_eq!(call.next(), Poll::Body);
        assert_eq!(call.chunk(), piece.as_bytes());
    }
    call.end_body(&[pair("x-sum", "6")]);
    assert_eq!(call.next(), Poll::Trailers);
    assert_eq!(call.fields(), [("x-sum".to_string(), "6".to_string())]);
    assert_eq!(call.next(), Poll::Done);
    assert_eq!(call.ended().outcome, Outcome::Ok);
}

#[test]
fn an_asynchronous_handler_may_answer_with_an_error() {
    let ended = handler03().http(&grants(), &request("/error", &[], Some(""))).unwrap().finish();
    assert_eq!(ended.outcome, Outcome::NoResponse);
    assert!(ended.message.contains("HttpRequestDenied"), "{}", ended.message);
}

#[test]
fn both_versions_of_the_handler_are_described() {
    for (text, version) in [(include_str!("handler.wat"), "0.2"), (include_str!("handler03.wat"), "0.3")] {
        let described = engine().describe(&wat::parse_str(text).unwrap()).unwrap();
        assert_eq!((&described["wasi"], &described["http"]), (&version.into(), &version.into()));
    }
}

#[test]
fn an_engine_without_wasi_03_refuses_its_components() {
    let engine = Engine::new(&engine::abi::Config { wasi03: false, ..SMALL }).unwrap();
    let Err((kind, _)) = engine.compile(&wat::parse_str(include_str!("handler03.wat")).unwrap()) else {
        panic!("compiled")
    };
    assert_eq!(kind, ErrorKind::InvalidBinary);
}
