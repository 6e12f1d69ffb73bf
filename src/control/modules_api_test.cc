#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr std::string_view kModules = "/api/v1/wasm/modules";

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::string form(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string body;
  for (const auto& [name, content] : parts) {
    body += "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"";
    if (name == "file") body += "; filename=\"m.wasm\"\r\nContent-Type: application/wasm";
    body += "\r\n\r\n" + content + "\r\n";
  }
  return body + "--XX--\r\n";
}

std::vector<std::string> ids(const Reply& reply) {
  std::vector<std::string> all;
  for (const auto& item : reply.json().at("items").as_array()) {
    all.emplace_back(item.at("moduleId").as_string());
  }
  return all;
}

TEST(Registering, RawBytesWithTheRegistrationInTheQuery) {
  Platform platform;
  const std::string bytes = tiny_module("raw");
  const Reply reply =
      platform.send("POST",
                    "/api/v1/wasm/modules?name=greeter&version=1.0.0&description=says%20hello&limits.maxMemoryMB=64&"
                    "limits.networkAccess=AllowList&limits.allowedHosts=a.example&limits.allowedHosts=b.example&"
                    "limits.environmentVariables.MODE=fast&metadata.commit=abc",
                    bytes, "application/wasm");
  ASSERT_EQ(reply.status, 201U) << reply.body;
  EXPECT_EQ(reply.header("location"), "/api/v1/wasm/modules/greeter-v1.0.0");
  const auto module = from_json_text<Module>(reply.body);
  ASSERT_TRUE(module) << module.error().detail;
  EXPECT_EQ(module->moduleId.str(), "greeter-v1.0.0");
  EXPECT_EQ(module->checksum, Sha256::of(bytes));
  EXPECT_EQ(module->sizeBytes, bytes.size());
  EXPECT_EQ(module->description, "says hello");
  EXPECT_EQ(module->limits.maxMemoryMB, 64);
  EXPECT_THAT(module->limits.allowedHosts, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(module->limits.environmentVariables.at("MODE"), "fast");
  EXPECT_EQ(module->metadata.at("commit"), "abc");
  EXPECT_EQ(module->registeredBy, "admin");
  EXPECT_THAT(module->exportedFunctions, ElementsAre("add"));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/greeter-v1.0.0").body, reply.body);
}

TEST(Registering, JsonWithBase64) {
  Platform platform;
  for (std::size_t size = 0; size < 3; ++size) {
    const std::string bytes = tiny_module(std::string(size, 'x'));
    const json::object upload{{"name", "json" + std::to_string(size)},
                              {"version", "1.0.0"},
                              {"limits", {{"maxMemoryMB", 8}}},
                              {"binary", base64(bytes)},
                              {"metadata", {{"binary", "not this one"}}}};
    const Reply reply = platform.post(std::string(kModules), json::serialize(upload));
    ASSERT_EQ(reply.status, 201U) << reply.body;
    EXPECT_EQ(reply.text("/checksum"), Sha256::of(bytes).hex());
    EXPECT_EQ(reply.text("/metadata/binary"), "not this one");
  }
}

TEST(Registering, MultipartWithMetadataOrWithSingleFields) {
  Platform platform;
  const std::string type = "multipart/form-data; boundary=XX";
  const std::string bytes = tiny_module("form");
  const Reply document = platform.send(
      "POST", std::string(kModules),
      form({{"metadata", R"({"name":"form","version":"1.0.0","limits":{"maxCpuPercent":10}})"}, {"file", bytes}}),
      type);
  ASSERT_EQ(document.status, 201U) << document.body;
  EXPECT_EQ(document.text("/checksum"), Sha256::of(bytes).hex());
  EXPECT_EQ(document.text("/limits/maxCpuPercent"), "10");

  const Reply fields = platform.send(
      "POST", std::string(kModules),
      form({{"name", "form"}, {"version", "2.0.0"}, {"limits.maxCpuPercent", "20"}, {"binary", bytes}}), type);
  ASSERT_EQ(fields.status, 201U) << fields.body;
  EXPECT_EQ(fields.text("/limits/maxCpuPercent"), "20");

  const Reply both =
      platform.send("POST", std::string(kModules),
                    form({{"metadata", "{}"}, {"name", "form"}, {"file", bytes}, {"binary", bytes}}), type);
  EXPECT_EQ(both.status, 400U);
  EXPECT_THAT(both.errors(), Contains(StartsWith("name: is given beside the part `metadata`")));
  EXPECT_THAT(both.errors(), Contains("binary: is given more than once"));
}

TEST(Registering, ListsAllFailuresAtOnce) {
  Platform platform;
  const Reply reply = platform.post(std::string(kModules), R"({"name":"not valid!","version":"1.0","colour":"red",
      "limits":{"maxMemoryMB":4096,"maxCpuPercent":"half"},"binary":"bm8gd2FzbQ=="})");
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.header("content-type"), "application/problem+json");
  EXPECT_THAT(reply.errors(),
              UnorderedElementsAre(StartsWith("name: "), StartsWith("version: must be major.minor.patch"),
                                   StartsWith("colour: unknown field"), StartsWith("limits.maxMemoryMB: "),
                                   StartsWith("limits.maxCpuPercent: expected an integer"),
                                   "binary: magic header not detected: bad magic number (at offset 0x0)"));
  EXPECT_THAT(reply.json().at("traceId").as_string(), SizeIs(32));
  EXPECT_THAT(*platform.blobs().list(), IsEmpty());
}

TEST(Registering, RefusesWhatIsNoUpload) {
  Platform platform;
  struct Case {
    std::string target, body, type;
    unsigned status;
    std::string says;
  };
  const std::string query = std::string(kModules) + "?name=a&version=1.0.0";
  const std::vector<Case> cases{
      {query, "", "application/wasm", 400, "binary: is required"},
      {std::string(kModules), "{", "application/json", 400, "not valid JSON"},
      {std::string(kModules), "{} {}", "application/json", 400, "not valid JSON"},
      {std::string(kModules), "[]", "application/json", 400, "expected an object"},
      {std::string(kModules), R"({"binary":"!!!!"})", "application/json", 400,
       "is not base64: unexpected character at position 0"},
      {std::string(kModules), R"({"binary":"AAAAA"})", "application/json", 400, "is not base64: it ends early"},
      {std::string(kModules), R"({"binary":"AAA=","binary":"AAA="})", "application/json", 400, "more than once"},
      {std::string(kModules), R"({"binary":7})", "application/json", 400, "binary: expected a string"},
      {query, "{}", "application/json", 400, "query parameters belong to"},
      {query, "x", "text/plain", 415, "application/wasm"},
      {query + "&name=b", tiny_module(), "application/wasm", 400, "name: is given more than once"},
      {query + "&limits.colour=red", tiny_module(), "application/wasm", 400, "limits.colour: unknown field"},
      {std::string(kModules), "--XX\r\n", "multipart/form-data; boundary=XX", 400, ""},
      {std::string(kModules), "--XX\r\n", "multipart/form-data", 400, "boundary"},
  };
  for (const auto& c : cases) {
    const Reply reply = platform.send("POST", c.target, c.body, c.type);
    EXPECT_EQ(reply.status, c.status) << c.target << " " << c.body << " " << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(c.says)) << c.body;
  }
}

TEST(Registering, HoldsTheSizeLimitInEveryForm) {
  Platform platform;
  const std::string big(limits::kModuleBytes + 1, '\0');
  EXPECT_EQ(platform.upload("big", "1.0.0", big).status, 413U);
  net::ClientRequest chunked;
  chunked.method = "POST";
  chunked.target = std::string(kModules) + "?name=big&version=1.0.0";
  chunked.headers = {{"Content-Type", "application/wasm"}};
  chunked.body_source = [&big, sent = std::size_t{0}](std::span<std::byte> into) mutable -> Result<std::size_t> {
    const std::size_t size = std::min(into.size(), big.size() - sent);
    std::memcpy(into.data(), big.data() + sent, size);
    sent += size;
    return size;
  };
  const unsigned status = platform.send(std::move(chunked)).status;
  EXPECT_TRUE(status == 413 || status == 0) << status;  // 0: cut while it still sent
  const Reply fields = platform.post(std::string(kModules),
                                     R"({"description":")" + std::string(limits::kJsonBodyBytes + 1, 'x') + "\"}");
  EXPECT_EQ(fields.status, 413U) << fields.body;
  EXPECT_THAT(*platform.blobs().list(), IsEmpty());
}

TEST(Registering, IsIdempotentForTheSameBytesAndAConflictForOthers) {
  Platform platform;
  const Reply first = platform.upload("greeter", "1.0.0", tiny_module("a"));
  EXPECT_EQ(first.status, 201U);
  const Reply again = platform.upload("greeter", "1.0.0", tiny_module("a"));
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.body, first.body);
  const Reply other = platform.upload("greeter", "1.0.0", tiny_module("b"));
  EXPECT_EQ(other.status, 409U);
  EXPECT_THAT(*platform.blobs().list(), ElementsAre(Sha256::of(tiny_module("a"))));
  EXPECT_EQ(platform.metrics().counter("wasm.modules.registered.total", "").value(), 1U);
}

TEST(Registering, ReportsFindingsAndRefusesImportsThatNoNodeOffers) {
  Platform platform;
  auto description = FakeInspector::adder();
  description.memories = {{256 << 20, std::nullopt}};
  description.endlessExports = {"spin"};
  platform.inspector().set(description);
  const Reply reply = platform.upload("big", "1.0.0");
  EXPECT_EQ(reply.status, 201U);
  EXPECT_EQ(reply.text("/findings/0/rule"), "endless-export");
  EXPECT_EQ(reply.text("/findings/1/rule"), "initial-memory");

  description.imports = {{"env#log", "func"}, {"env#time", "func"}};
  platform.inspector().set(description);
  const Reply refused = platform.upload("env", "1.0.0");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(refused.errors(), ElementsAre("binary: imports env#log, which no node offers",
                                            "binary: imports env#time, which no node offers"));
  description.wasi = "0.3";
  platform.inspector().set(description);
  const Reply experimental = platform.upload("async", "1.0.0");
  EXPECT_EQ(experimental.status, 422U);
  EXPECT_THAT(experimental.body, HasSubstr("--wasi03"));
}

TEST(Registering, KeepsTheNewestVersionsAndRemovesTheirBinariesWithThem) {
  Platform platform;
  for (int minor = 0; minor < 7; ++minor) {
    EXPECT_EQ(platform.upload("greeter", "1." + std::to_string(minor) + ".0").status, 201U);
  }
  EXPECT_THAT(ids(platform.get(std::string(kModules))), SizeIs(limits::kVersionsKept));
  EXPECT_THAT(*platform.blobs().list(), SizeIs(limits::kVersionsKept));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/greeter-v1.1.0").status, 404U);
  EXPECT_EQ(platform.metrics().gauge("wasm.modules.count", "").value(), limits::kVersionsKept);
}

TEST(Registering, RemovesBinariesThatACrashLeftWithoutARow) {
  Platform platform;
  EXPECT_EQ(platform.upload("kept", "1.0.0").status, 201U);
  const auto writer = *platform.blobs().create(100);
  ASSERT_TRUE(writer->write(std::as_bytes(std::span(std::string_view("orphan")))));
  ASSERT_TRUE(writer->commit());
  EXPECT_THAT(*platform.blobs().list(), SizeIs(2));
  platform.stop();
  platform.start();
  EXPECT_THAT(*platform.blobs().list(), ElementsAre(Sha256::of(tiny_module("kept1.0.0"))));
}

TEST(Registering, TheSameBytesFromManyClientsAtOnceMakeOneModule) {
  Platform platform;
  std::atomic<int> created{0};
  std::atomic<int> found{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&] {
        const unsigned status = platform.upload("greeter", "1.0.0", tiny_module("same")).status;
        ++(status == 201 ? created : found);
        EXPECT_TRUE(status == 201 || status == 200) << status;
      });
    }
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(found, 7);
}

TEST(Listing, FiltersSortsAndPages) {
  Platform platform;
  platform.upload("beta", "1.0.0");
  platform.upload("alpha", "1.0.0");
  platform.upload("alpha", "1.1.0");
  platform.send("PATCH", "/api/v1/wasm/modules/beta-v1.0.0", R"({"status":"Deprecated","description":"Old one"})");
  const std::string list{kModules};
  EXPECT_THAT(ids(platform.get(list)), ElementsAre("alpha-v1.0.0", "alpha-v1.1.0", "beta-v1.0.0"));
  EXPECT_THAT(ids(platform.get(list + "?order=desc")), ElementsAre("beta-v1.0.0", "alpha-v1.1.0", "alpha-v1.0.0"));
  EXPECT_THAT(ids(platform.get(list + "?sort=registeredAt&limit=1")), ElementsAre("beta-v1.0.0"));
  EXPECT_THAT(ids(platform.get(list + "?name=alpha&sort=sizeBytes")), SizeIs(2));
  EXPECT_THAT(ids(platform.get(list + "?status=Deprecated")), ElementsAre("beta-v1.0.0"));
  EXPECT_THAT(ids(platform.get(list + "?text=old%20ONE")), ElementsAre("beta-v1.0.0"));

  const Reply first = platform.get(list + "?limit=2");
  EXPECT_THAT(ids(first), SizeIs(2));
  const Reply second = platform.get(list + "?limit=2&cursor=" + first.text("/nextCursor"));
  EXPECT_THAT(ids(second), ElementsAre("beta-v1.0.0"));
  EXPECT_TRUE(second.json().at("nextCursor").is_null());

  const Reply wrong = platform.get(list + "?limit=0&sort=colour&status=x&page=2&name=a&name=b");
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_THAT(wrong.errors(), SizeIs(5));
  EXPECT_THAT(wrong.errors(), Contains(StartsWith("page: unknown query parameter; known ones are name, status")));
  EXPECT_EQ(platform.get(list + "?cursor=nonsense").status, 400U);
  EXPECT_EQ(platform.get(list + "?name=%zz").status, 400U);
}

TEST(Changing, StatusDescriptionAndMetadataOnly) {
  Platform platform;
  platform.upload("greeter", "1.0.0");
  const std::string target = "/api/v1/wasm/modules/greeter-v1.0.0";
  const Reply changed = platform.send("PATCH", target, R"({"status":"Disabled","metadata":{"k":"v"}})");
  EXPECT_EQ(changed.status, 200U) << changed.body;
  EXPECT_EQ(changed.text("/status"), "Disabled");
  EXPECT_EQ(changed.text("/metadata/k"), "v");
  const Reply wrong = platform.send("PATCH", target, R"({"status":"Gone","version":"2.0.0"})");
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_THAT(wrong.errors(), SizeIs(2));
  EXPECT_EQ(platform.send("PATCH", target, R"({"metadata":{"":"empty"}})").status, 400U);
  EXPECT_EQ(platform.send("PATCH", "/api/v1/wasm/modules/no-v1.0.0", "{}").status, 404U);
}

TEST(Deleting, IsRefusedWhileSomethingRefersToTheVersion) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  const std::string target = "/api/v1/wasm/modules/greeter-v1.0.0";
  EXPECT_EQ(platform.send("DELETE", target).status, 409U);
  EXPECT_EQ(platform.verb(id, "rollback").status, 200U);  // withdrawn before it was executed
  EXPECT_EQ(platform.send("DELETE", target).status, 204U);
  EXPECT_EQ(platform.send("DELETE", target).status, 404U);
  EXPECT_THAT(*platform.blobs().list(), IsEmpty());
  EXPECT_EQ(platform.metrics().gauge("wasm.modules.count", "").value(), 0);
}

TEST(Deleting, KeepsABinaryThatAnotherVersionHas) {
  Platform platform;
  const std::string bytes = tiny_module("shared");
  platform.upload("one", "1.0.0", bytes);
  platform.upload("two", "1.0.0", bytes);
  EXPECT_EQ(platform.send("DELETE", "/api/v1/wasm/modules/one-v1.0.0").status, 204U);
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/two-v1.0.0/binary").body, bytes);
}

TEST(Downloading, GivesTheBytesBackWithTheirDigest) {
  Platform platform;
  std::string bytes = tiny_module("download");
  for (std::uint32_t i = 0; i < 3'000'000; ++i) bytes += static_cast<char>(i * 2654435761U >> 24);
  EXPECT_EQ(platform.upload("greeter", "1.0.0", bytes).status, 201U);
  const std::string target = "/api/v1/wasm/modules/greeter-v1.0.0/binary";
  const Reply reply = platform.get(target);
  EXPECT_EQ(reply.status, 200U);
  EXPECT_TRUE(reply.body == bytes);
  EXPECT_EQ(reply.header("content-type"), "application/wasm");
  EXPECT_EQ(reply.header("etag"), "\"" + Sha256::of(bytes).hex() + "\"");
  EXPECT_EQ(reply.header("content-length"), std::to_string(bytes.size()));

  const Reply head = platform.send("HEAD", target);
  EXPECT_EQ(head.status, 200U);
  EXPECT_THAT(head.body, IsEmpty());
  EXPECT_EQ(head.header("content-length"), std::to_string(bytes.size()));

  net::ClientRequest conditional;
  conditional.target = target;
  conditional.headers = {{"If-None-Match", reply.header("etag")}};
  EXPECT_EQ(platform.send(std::move(conditional)).status, 304U);
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/no-v1.0.0/binary").status, 404U);
}

TEST(Downloading, NeverGivesACorruptBinaryForAWholeOne) {
  Platform platform;
  EXPECT_EQ(platform.upload("greeter", "1.0.0").status, 201U);
  const auto digest = Sha256::of(tiny_module("greeter1.0.0"));
  const std::string file = platform.folder() + "/blobs/" + blob_key(digest);
  const std::string other = platform.folder() + "/blobs/" + blob_key(Sha256::of(tiny_module("other1.0.0")));
  platform.upload("other", "1.0.0");
  std::filesystem::copy_file(other, file, std::filesystem::copy_options::overwrite_existing);
  const Reply corrupt = platform.get("/api/v1/wasm/modules/greeter-v1.0.0/binary");
  EXPECT_TRUE(corrupt.status == 0 || corrupt.status == 500) << corrupt.status;
  std::filesystem::remove(file);
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/greeter-v1.0.0/binary").status, 500U);
}

TEST(Registering, IsTracedWithAChildForTheValidation) {
  Platform platform;
  platform.upload("greeter", "1.0.0");
  const auto spans = platform.tracer().snapshot();
  const auto named = [&spans](std::string_view name) { return std::ranges::find(spans, name, &SpanRecord::name); };
  ASSERT_NE(named("wasm.module.register"), spans.end());
  ASSERT_NE(named("wasm.module.validate"), spans.end());
  EXPECT_EQ(named("wasm.module.validate")->parent_span, named("wasm.module.register")->context.span);
}

}  // namespace
}  // namespace hotswap::control
