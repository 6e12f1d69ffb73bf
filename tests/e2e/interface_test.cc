// `hotswap interface`, as a CI job runs it: without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "child.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;

std::string written(const Folder& folder, const std::string& name, const std::string& text) {
  std::string path = folder.path() + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(InterfaceCheckTest, EveryLanguagesModulesFit) {
  for (const std::string name :
       {"c-add", "c-component", "c-http-echo", "c-http-hello", "c-http-p3-hello", "c-wasi", "counter-v1",
        "cpp-component", "cpp-text", "go-wasip1", "js-component", "python-component", "test-guests"}) {
    const auto ended = run({"interface", "check", sample(name)});
    EXPECT_EQ(ended.exit_code, 0) << name << ": " << ended.out << ended.err;
  }
}

TEST(InterfaceCheckTest, AnInterfaceThatAModuleDoesNotConformToIsTold) {
  const Folder folder;
  const auto wit = [&](const std::string& name, const std::string& increment) {
    return written(folder, name,
                   "package demo:counter@1.0.0;\ninterface counter { increment: func(" + increment +
                       ") -> u32; }\nworld w { export counter; }\n");
  };
  const auto good = wit("good.wit", "key: string, by: u32");
  const auto bad = wit("bad.wit", "key: string, by: u64");
  EXPECT_EQ(run({"interface", "check", sample("counter-v1"), "--wit", good}).exit_code, 0);
  EXPECT_EQ(run({"interface", "check", sample("counter-v1"), "--wit", good, "--world", "w"}).exit_code, 0);
  const auto refused = run({"interface", "check", sample("counter-v1"), "--wit", bad});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.out, HasSubstr("demo:counter/counter.increment.by"));
  EXPECT_EQ(run({"interface", "check", sample("counter-v2"), "--wit", good, "--world", "w"}).exit_code, 1);
}

TEST(InterfaceDiffTest, ComparesComponentsAndCoreModules) {
  const auto same = run({"interface", "diff", sample("c-http-hello-v1"), sample("c-http-hello-v2"), "--mode", "full"});
  EXPECT_EQ(same.exit_code, 0) << same.out;
  const auto changed = run({"interface", "diff", sample("counter-v1"), sample("counter-v2")});
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_THAT(changed.out, HasSubstr("demo:counter/counter.increment.by"));
  const auto core = run({"interface", "diff", sample("c-add"), sample("c-wasi")});
  EXPECT_EQ(core.exit_code, 1);
  EXPECT_THAT(core.out, HasSubstr("exports.add"));
  const auto kind = run({"interface", "diff", sample("c-add"), sample("counter-v1")});
  EXPECT_EQ(kind.exit_code, 1);
  EXPECT_THAT(kind.out, HasSubstr("a core module and a component share no interface"));
}

TEST(InterfaceDiffTest, IsPlainInAPipeAndExitsTwoForWhatItCannotRead) {
  const Folder folder;
  const auto before = written(folder, "a.wit", "package a:b@1.0.0;\ninterface i { f: func(); }\n");
  const auto after = written(folder, "b.wit", "package a:b@1.0.1;\ninterface i { f: func(a: u8); }\n");
  const auto wrong = written(folder, "c.wit", "package a:b@1.0.1;\ninterface i { f: fun(); }\n");
  const auto breaking = run({"interface", "diff", before, after});
  EXPECT_EQ(breaking.exit_code, 1);
  EXPECT_THAT(breaking.out, testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(breaking.out, HasSubstr("2.0.0 is needed"));
  const auto unreadable = run({"interface", "diff", before, wrong});
  EXPECT_EQ(unreadable.exit_code, 2);
  EXPECT_THAT(unreadable.err, HasSubstr("c.wit:2:"));
  EXPECT_THAT(unreadable.err, HasSubstr("^"));
}

}  // namespace
}  // namespace hotswap::e2e
