#include "model/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_fixture.h"

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Binding, DefaultsToTheModulesName) {
  EXPECT_EQ(default_binding("greeter").pathPrefix, "/m/greeter/");
  EXPECT_FALSE(default_binding("greeter").host.has_value());
  EXPECT_THAT(validate(default_binding("greeter"), "http"), IsEmpty());
}

TEST(Binding, AllowsHostsAndPrefixes) {
  for (const char* prefix : {"/", "/a/", "/a/b-c_d~e/", "/%20/", "/apis/", "/a/api/"}) {
    EXPECT_THAT(validate(HttpBinding{std::nullopt, prefix}, "http"), IsEmpty()) << prefix;
  }
  for (const char* host : {"example.com", "10.0.0.1", "[::1]"}) {
    EXPECT_THAT(validate(HttpBinding{host, "/"}, "http"), IsEmpty()) << host;
  }
}

TEST(Binding, RefusesWhatCannotBeRouted) {
  for (const char* prefix : {"", "a/", "/a", "//", "/a//b/", "/api/", "/api/v1/", "/health/", "/health/live/", "/a b/",
                             "/a?b/", "/a#b/", "/ä/", "/../", "/a/./"}) {
    EXPECT_THAT(fields_of(validate(HttpBinding{std::nullopt, prefix}, "http")), ElementsAre("http.pathPrefix"))
        << prefix;
  }
  for (const char* host : {"", "example.com:80", "*.example.com", "::1", "a/b"}) {
    EXPECT_THAT(fields_of(validate(HttpBinding{host, "/"}, "http")), ElementsAre("http.host")) << host;
  }
}

}  // namespace
}  // namespace hotswap
