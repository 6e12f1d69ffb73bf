/* engine.h: the one boundary between the C++ program and the Rust bridge over Wasmtime.
 *
 * Mechanism only. Nothing here knows about tenants, routes or limits tables: the caller states every bound.
 *
 * Conventions
 *   - Every handle is owned by the caller and freed by its eng_*_free. Freeing NULL is allowed.
 *   - eng_slice is borrowed for the duration of the call that takes it, unless said otherwise.
 *   - eng_buffer is owned by the receiver and given back with eng_buffer_free.
 *   - A fallible function returns true on success; on failure it fills *error (never NULL) and returns false.
 *   - No panic and no trap crosses the boundary: a panic becomes ENG_ERROR_INTERNAL / ENG_OUTCOME_INTERNAL.
 *   - Threads: eng_engine, eng_code, eng_image and eng_body may be used from any thread at once. An eng_call belongs
 *     to one thread at a time; its waker may fire on any thread.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct eng_engine eng_engine; /* compiler, linkers, instance pool, epoch ticker, timers */
typedef struct eng_code eng_code;     /* compiled machine code of one core module or component */
typedef struct eng_image eng_image;   /* code linked against a capability set; ready to instantiate */
typedef struct eng_call eng_call;     /* one fresh instance and the call running in it */
typedef struct eng_body eng_body;     /* the way of a request's body into an HTTP call */

typedef struct {
  const uint8_t* data;
  size_t size;
} eng_slice;

typedef struct {
  uint8_t* data;
  size_t size;
  size_t capacity;
} eng_buffer;

void eng_buffer_free(eng_buffer buffer);

typedef enum {
  ENG_ERROR_NONE = 0,
  ENG_ERROR_INVALID_BINARY = 1,     /* not a valid core module or component; message has the offset */
  ENG_ERROR_COMPILE = 2,            /* valid, but the compiler refuses it */
  ENG_ERROR_INCOMPATIBLE_CACHE = 3, /* serialized by another engine version or for another machine */
  ENG_ERROR_LINK = 4,               /* an import that the capability set does not offer; message names it */
  ENG_ERROR_NO_SUCH_EXPORT = 5,     /* message lists what is exported */
  ENG_ERROR_AMBIGUOUS_EXPORT = 6,   /* short name fits several exports; message lists them */
  ENG_ERROR_BAD_PARAMS = 7,         /* message begins with the path: "params[1].zip: expected u32, got string" */
  ENG_ERROR_CONFIG = 8,             /* a setting or an option cannot be honoured */
  ENG_ERROR_INTERNAL = 9,           /* a bug or a panic */
  ENG_ERROR_WIT = 10                /* WIT text that cannot be parsed or resolved; message is JSON, see eng_wit_parse */
} eng_error_kind;

typedef struct {
  eng_error_kind kind;
  eng_buffer message; /* UTF-8, one line */
} eng_error;

/* ---- engine ------------------------------------------------------------------------------------------------- */

typedef struct {
  uint32_t pool_instances;      /* simultaneous core instances; 0 = on-demand allocation instead of a pool */
  uint64_t pool_memory_bytes;   /* largest size of one linear memory in the pool */
  uint64_t keep_resident_bytes; /* bytes per slot that are reset in place instead of given back to the kernel;
                                   0: 256 KiB where the kernel has PAGEMAP_SCAN, else none */
  uint32_t tick_microseconds;   /* epoch period; the ticker sleeps while no call is running */
  bool wasi03;                  /* accept WASI 0.3 (component-model async) */
  bool unbounded;               /* no limiter, no epoch, no meters: only to measure what they cost. Never for guests of
                                   strangers: nothing ends them, and the result's meters are 0 */
  eng_slice outbound_ca;        /* PEM: authorities that outbound TLS trusts besides the public ones; may be empty */
} eng_config;

bool eng_engine_new(const eng_config* config, eng_engine** out, eng_error* error);
void eng_engine_free(eng_engine* engine);

/* "48.0.8" */
eng_slice eng_version(void);
/* Names the engine version, target, CPU features and settings that machine code depends on: the cache key. */
eng_buffer eng_fingerprint(const eng_engine* engine);
/* JSON: {"core":["module#name",…],"component":["wasi:io/streams@0.2.12",…]}: every import that eng_link can satisfy. */
eng_buffer eng_offers(const eng_engine* engine);

/* Validates the bytes and describes them, without compiling. JSON:
 *   {"kind":"core"|"component", "wasi":"none"|"preview1"|"0.2"|"0.3",
 *    "http":null|"0.2"|"0.3", "command":bool,
 *    "imports":[{"name":"module#name"|"ns:pkg/iface@v","kind":"func"|"memory"|"table"|"global"|"instance"|…}],
 *                core ones also have what exports have
 *    "exports":[{"name":"fn"|"ns:pkg/iface@v#fn","kind":"func"|"memory"|…,
 *                "params":[{"name":"a"|null,"type":"u32"}],"results":["list<string>"],   of functions
 *                "type":"mut i32"|"1 16"|"4 funcref"}],   of core globals, memories (in pages) and tables
 *    "memories":[{"initialBytes":n,"maximumBytes":n|null}],
 *    "customSections":[{"name":"producers","bytes":n}],
 *    "endlessExports":["spin"]}      exported functions whose body is an unconditional infinite loop
 * Types are WIT text with records, variants, enums and flags written out, since a component keeps no name at their
 * uses: "list<record { zip: u32 }>", "variant { none, number(u32) }", "result<_, string>"; resources are
 * "own<resource>". Core types are "i32", "v128", "funcref". WASI 0.3 is described (as "wasi":"0.3") by an engine
 * without it, too; only eng_compile refuses it then, as ENG_ERROR_INVALID_BINARY.
 */
bool eng_describe(const eng_engine* engine, eng_slice binary, eng_buffer* json, eng_error* error);

/* ---- interfaces ---------------------------------------------------------------------------------------------
 * None of these needs an engine; they may be called from any thread at once. They take milliseconds at most. */

typedef struct {
  eng_slice path;  /* names the file in errors; not read */
  eng_slice bytes; /* WIT text; or, as the only file of its package, a WIT package encoded as WebAssembly */
} eng_wit_file;

typedef struct {
  const eng_wit_file* files;
  size_t count;
} eng_wit_package;

/* Parses and resolves packages: the first is the main one, the others what it may depend on. WASI's packages of
 * eng_wit_wasi need not be given. Items behind @unstable are kept, with their gate; documentation only with `docs`,
 * since it is most of the text. JSON:
 *   {"kind":"package", "main":i, "world":null, "resolve":{"packages":[…],"worlds":[…],"interfaces":[…],"types":[…]}}
 * where "resolve" is wit-parser's own description (as `wasm-tools component wit --json` prints it): items refer to each
 * other by their index, and a type refers only to types before it. ENG_ERROR_WIT has the first thing that is wrong as
 *   {"file":"a.wit","line":3,"column":5,"width":4,"text":"  fooo: bar;","message":"…"}
 * with line and column from 1, in characters; both are 0 where the error has no place. */
bool eng_wit_parse(const eng_wit_package* packages, size_t count, bool docs, eng_buffer* json, eng_error* error);

/* The same of a component ("kind":"component", its imports and exports are the world at index "world") or of a WIT
 * package encoded as WebAssembly. A core module is ENG_ERROR_INVALID_BINARY. */
bool eng_wit_decode(eng_slice binary, eng_buffer* json, eng_error* error);

/* wit-component's judgement whether components made for the world of the old main package fit the world of the same
 * name in the new one, versions left aside and without what is behind @unstable. JSON: {"compatible":true},
 * {"compatible":false,"reason":"…"}, or {"compatible":null,"reason":"…"} where the check itself cannot be made. */
bool eng_wit_semver_check(const eng_wit_package* old_packages, size_t old_count, const eng_wit_package* new_packages,
                          size_t new_count, eng_slice world, eng_buffer* json, eng_error* error);

/* What a core module exports that implements the world of the main package, and what it may import, by the canonical
 * ABI and the names of today's toolchains. JSON:
 *   {"imports":[{"name":"ns:pkg/iface@v#fn","params":["i32",…],"results":["i32"]}], "exports":[…the same…]} */
bool eng_wit_core_functions(const eng_wit_package* packages, size_t count, eng_slice world, eng_buffer* json,
                            eng_error* error);

/* The texts of WASI 0.2 and 0.3 as this build links them. JSON: [{"package":"wasi:io@0.2.12","path":"…","text":"…"}] */
eng_buffer eng_wit_wasi(void);
/* WASI Preview 1 and the snapshot before it, which are core modules and have no WIT. JSON:
 *   [{"module":"wasi_snapshot_preview1","functions":[{"name":"fd_write","params":["i32",…],"results":["i32"],
 *     "docs":"…"}]}] */
eng_slice eng_wit_preview1(void);

/* ---- code and images ---------------------------------------------------------------------------------------- */

/* Blocking and CPU-bound: call it on a background thread. */
bool eng_compile(const eng_engine* engine, eng_slice binary, eng_code** out, eng_error* error);
bool eng_serialize(const eng_code* code, eng_buffer* out, eng_error* error);
/* The file must have been written by eng_serialize on this machine (machine code is trusted). Maps it; 50–100 µs. */
bool eng_deserialize_file(const eng_engine* engine, const char* path, eng_code** out, eng_error* error);
void eng_code_free(eng_code* code);

/* What an image may import. WASI interfaces that are linked still grant nothing by themselves (see eng_grants). */
typedef enum {
  ENG_LINK_WASI = 1,    /* Preview 1; wasi:cli, clocks, filesystem, io, random 0.2 (and 0.3 where the engine has it) */
  ENG_LINK_SOCKETS = 2, /* wasi:sockets */
  ENG_LINK_HTTP = 4     /* wasi:http */
} eng_link_flags;

bool eng_link(const eng_engine* engine, const eng_code* code, uint32_t link_flags, eng_image** out, eng_error* error);
void eng_image_free(eng_image* image);

/* Resolves "fn", "iface#fn", "ns:pkg/iface@v#fn", or a shorter form that fits one export only, to an index for
 * eng_call_function. Cheap; the caller may cache it for the life of the image. */
bool eng_image_function(const eng_image* image, eng_slice name, uint32_t* index, eng_error* error);

/* ---- calls -------------------------------------------------------------------------------------------------- */

typedef struct {
  eng_slice name;
  eng_slice value;
} eng_pair;

typedef struct {
  eng_slice host;  /* host directory, absolute */
  eng_slice guest; /* path as the guest sees it */
  bool writable;
} eng_directory;

/* How much disk the files below a folder may take, whichever calls write them, and how many entries (files, folders,
 * links) there may be. What exceeds either is refused to the guest as "insufficient space" (ENOSPC). */
typedef struct {
  eng_slice folder;   /* absolute; empty: no bound. Calls that name the same folder share its use */
  uint64_t max_bytes; /* in whole blocks, as the file system allocates them; holes and folders take none */
  uint64_t max_entries;
} eng_quota;

/* HTTP requests and sockets reach
 *   LISTED  what `hosts` names
 *   PUBLIC  every name whose addresses are public, and what `hosts` names
 *   HOST    whatever the process reaches; sockets may listen (local runs only)
 * A host is matched by the name that the guest asks for. Names are resolved once, and the address that was checked is
 * the one that is connected to. Loopback, link-local, private, shared, unique-local, multicast, reserved and
 * unspecified addresses, also written as IPv6, are reached only by a name or an address that `hosts` has as itself: a
 * wildcard does not do. Sockets connect to addresses of the listed names, and of names that fit a wildcard and that the
 * guest looked up before. Redirects are not followed. TLS certificates are always verified. */
typedef enum { ENG_NETWORK_NONE = 0, ENG_NETWORK_LISTED = 1, ENG_NETWORK_PUBLIC = 2, ENG_NETWORK_HOST = 3 } eng_network;

/* Of all that a call does over the network. Zero-initialised, it allows nothing. */
typedef struct {
  uint32_t max_requests;         /* HTTP requests, TCP connections and UDP datagrams */
  uint64_t max_sent_bytes;       /* heads and bodies of HTTP requests */
  uint64_t max_received_bytes;   /* heads and bodies of HTTP responses */
  uint32_t connect_milliseconds; /* look-up, connection and TLS; a guest may state less for this and the next two */
  uint32_t first_byte_milliseconds;
  uint32_t between_bytes_milliseconds;
  uint32_t total_milliseconds; /* of one HTTP request, to the last byte of its response */
  uint32_t max_depth;          /* how often "hotswap" may stand in `via` */
  eng_slice via; /* CDN-Loop (RFC 8586) of the request that the call answers: its requests carry that on, with "hotswap"
                    added. Guests neither see nor set it */
} eng_outbound;

/* Everything that one call is granted and bounded by. Zero-initialised, it grants nothing. */
typedef struct {
  uint64_t max_memory_bytes; /* over all memories and tables of all instances of the call; 0 = 1 page */
  uint64_t max_output_bytes; /* stdout + stderr captured, and the JSON result, each */
  const eng_pair* env;
  size_t env_count;
  const eng_slice* args; /* argv, program name first */
  size_t args_count;
  const eng_directory* directories;
  size_t directories_count;
  eng_quota quota; /* of what is written to writable directories */
  eng_network network;
  const eng_slice* hosts; /* "host", "host:port", "*.domain" */
  size_t hosts_count;
  eng_outbound outbound;
  eng_slice stdin_bytes; /* ignored with inherit_stdio */
  bool inherit_stdio;    /* the process's own streams instead of capturing (local runs only) */
} eng_grants;

/* A waker handed to eng_call_poll. retain/release count references to data; wake may run on any thread, any number
 * of times, also after the call has ended. */
typedef struct {
  void* data;
  void (*retain)(void* data);
  void (*release)(void* data);
  void (*wake)(void* data);
} eng_waker;

typedef enum {
  ENG_INVOKE_BYTES_BASE64 = 1 /* return list<u8> as {"base64":…} */
} eng_invoke_flags;

/* Starts nothing by itself: the first poll instantiates. params: JSON array, or object by parameter name; empty = [].
 * Parameters are checked here, so ENG_ERROR_BAD_PARAMS comes before any instance exists. Core functions take an array
 * only; a v128 is a string, decimal or "0x" and hex digits, and is returned as "0x" and 32 hex digits. */
bool eng_call_function(const eng_image* image, uint32_t function, const eng_grants* grants, eng_slice params,
                       uint32_t invoke_flags, eng_call** out, eng_error* error);
/* `_start` of a core module, or wasi:cli/run of a component. */
bool eng_call_command(const eng_image* image, const eng_grants* grants, eng_call** out, eng_error* error);

typedef struct {
  eng_slice method;
  eng_slice scheme;         /* "http" or "https" */
  eng_slice authority;      /* host[:port] */
  eng_slice path_and_query; /* origin form */
  const eng_pair* headers;
  size_t headers_count;
  eng_slice body;     /* first bytes of the body, copied; may exceed the bridge's bound: there is no room then */
  bool body_complete; /* nothing follows, and there are no trailers */
} eng_http_request;

/* wasi:http/incoming-handler 0.2 or wasi:http/handler 0.3, whichever the image exports. */
bool eng_call_http(const eng_image* image, const eng_grants* grants, const eng_http_request* request, eng_call** out,
                   eng_error* error);

/* The request body of an HTTP call as far as it arrives after the start; NULL for other calls. Free it; it may outlive
 * the call, and be used while the call is polled on another thread. */
eng_body* eng_call_body(const eng_call* call);
void eng_body_free(eng_body* body);
/* room: bytes that may be written now without exceeding the bridge's bound (64 KiB); it grows as the guest reads,
 * during polls. Writing more than room is a caller's bug and is refused. Writing, finishing and aborting wake a guest
 * that waits for it: the waker fires, on this thread. */
size_t eng_body_room(const eng_body* body);
bool eng_body_write(const eng_body* body, eng_slice bytes);
void eng_body_finish(const eng_body* body, const eng_pair* trailers, size_t trailers_count);
/* The sender went away: the guest sees an error while reading. */
void eng_body_abort(const eng_body* body);

typedef enum {
  ENG_POLL_PENDING = 0,  /* waits for something: the waker will fire */
  ENG_POLL_YIELDED = 1,  /* the epoch tick interrupted the guest: poll again when it may have the thread */
  ENG_POLL_HEAD = 2,     /* HTTP: status and headers are there */
  ENG_POLL_BODY = 3,     /* HTTP: eng_call_body_chunk is there, valid until the next poll */
  ENG_POLL_TRAILERS = 4, /* HTTP: eng_call_fields are the trailers */
  ENG_POLL_DONE = 5      /* eng_call_result may be called; do not poll again */
} eng_poll;

/* Runs the guest on this thread until one of the above. Body and head are produced in order, head first. HTTP calls
 * are done when both the response is complete and the guest has returned. A guest that fails ends the call at once:
 * what was not delivered of its response, the head included, never is. */
eng_poll eng_call_poll(eng_call* call, const eng_waker* waker);

uint16_t eng_call_status(const eng_call* call);
/* Response headers after HEAD, trailers after TRAILERS. visit is called once a field, values as raw bytes. */
void eng_call_fields(const eng_call* call, void (*visit)(void* data, eng_slice name, eng_slice value), void* data);
eng_slice eng_call_body_chunk(const eng_call* call);
/* Exact body size where the guest stated one or the body is complete already, else UINT64_MAX. After HEAD. */
uint64_t eng_call_body_size(const eng_call* call);

typedef enum {
  ENG_OUTCOME_OK = 0,
  ENG_OUTCOME_TRAP = 1,             /* message, backtrace; also a response body that breaks off */
  ENG_OUTCOME_OUT_OF_MEMORY = 2,    /* max_memory_bytes reached */
  ENG_OUTCOME_OUTPUT_TOO_LARGE = 3, /* max_output_bytes reached */
  ENG_OUTCOME_EXIT = 4,             /* exit code; 0 from a command is ENG_OUTCOME_OK */
  ENG_OUTCOME_CANCELLED = 5,        /* eng_call_cancel */
  ENG_OUTCOME_NO_RESPONSE = 6,      /* an HTTP guest returned, or failed, without setting a response */
  ENG_OUTCOME_POOL_EXHAUSTED = 7,   /* no free instance slot */
  ENG_OUTCOME_INTERNAL = 8
} eng_outcome;

typedef struct {
  eng_outcome outcome;
  int32_t exit_code;
  uint64_t peak_memory_bytes; /* over all memories and tables */
  uint64_t cpu_nanoseconds;   /* time spent inside polls */
  uint64_t wall_nanoseconds;  /* from creation to the end, or until now */
  uint32_t yields;            /* epoch interruptions */
  uint32_t refusals;          /* of all kinds, see eng_call_refusals */
  eng_slice value;            /* JSON result of a function; "null" where it has none */
  eng_slice message;          /* why it failed, one line */
  eng_slice backtrace;        /* wasm frames, one a line, innermost first */
  eng_slice stdout_bytes;     /* captured */
  eng_slice stderr_bytes;
} eng_result;

/* What a guest asked for and was refused. It gets an error of its own WASI, and may go on. */
typedef enum {
  ENG_REFUSAL_HOST = 0,        /* a host that is not allowed; HTTP-request-denied, access-denied */
  ENG_REFUSAL_ADDRESS = 1,     /* an address that is not public; destination-IP-prohibited, access-denied */
  ENG_REFUSAL_REQUESTS = 2,    /* max_requests; connection-limit-reached, access-denied */
  ENG_REFUSAL_BYTES = 3,       /* HTTP-request-body-size, HTTP-response-body-size and those of the heads */
  ENG_REFUSAL_TIME = 4,        /* connection-timeout, connection-read-timeout, HTTP-response-timeout */
  ENG_REFUSAL_CERTIFICATE = 5, /* TLS-certificate-error */
  ENG_REFUSAL_RECURSION = 6,   /* loop-detected */
  ENG_REFUSAL_PATH = 7,        /* a path that leads out of its directory, or a change where only reading is granted */
  ENG_REFUSAL_QUOTA = 8        /* eng_quota; insufficient-space */
} eng_refusal;

/* Once for each kind that there was: how often, and the first in words (valid during the visit). At any time. */
void eng_call_refusals(const eng_call* call,
                       void (*visit)(void* data, eng_refusal kind, uint32_t count, eng_slice first), void* data);

/* After ENG_POLL_DONE or eng_call_cancel; slices live as long as the call. */
eng_result eng_call_result(const eng_call* call);
/* Stops the guest and drops its instance now; the result says CANCELLED, with meters. */
void eng_call_cancel(eng_call* call);
/* Frees a call in any state; a running one is cancelled. */
void eng_call_free(eng_call* call);

#ifdef __cplusplus
}
#endif
#endif
