#include <cstdlib>
#include <fstream>

#include "cli/deploy_command.h"
#include "cli/invoke_command.h"
#include "cli/module_commands.h"
#include "cli/test_console.h"

namespace hotswap::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Help, OfTheProgramListsCommandsAndExitCodes) {
  Console console;
  EXPECT_EQ(console.run({"--help"}), 0);
  for (const auto* word : {"module", "interface", "deploy", "rollout", "invoke", "completion", "version"}) {
    EXPECT_THAT(console.out, HasSubstr(std::string("\n  ") + word + " ")) << word;
  }
  for (const auto& row : kExitCodes) EXPECT_THAT(console.out, HasSubstr(std::string(row.meaning)));
  EXPECT_THAT(console.err, IsEmpty());
}

TEST(Help, OfEveryCommandHasExamples) {
  Console console;
  const std::vector<std::vector<std::string>> commands{{"module"},
                                                       {"module", "push"},
                                                       {"module", "ls"},
                                                       {"module", "show"},
                                                       {"module", "set"},
                                                       {"module", "pull"},
                                                       {"module", "rm"},
                                                       {"interface"},
                                                       {"interface", "diff"},
                                                       {"interface", "check"},
                                                       {"deploy"},
                                                       {"rollout"},
                                                       {"rollout", "ls"},
                                                       {"rollout", "show"},
                                                       {"rollout", "watch"},
                                                       {"rollout", "events"},
                                                       {"rollout", "approve"},
                                                       {"rollout", "execute"},
                                                       {"rollout", "rollback"},
                                                       {"invoke"},
                                                       {"up"},
                                                       {"run"},
                                                       {"completion"},
                                                       {"version"}};
  for (auto words : commands) {
    const auto name = words.back();
    words.emplace_back("--help");
    EXPECT_EQ(console.run(words), 0) << name;
    std::string full = "hotswap";
    for (auto word = words.begin(); word != words.end() - 1; ++word) full += " " + *word;
    EXPECT_THAT(console.out, HasSubstr("Usage: " + full + " [OPTION...]")) << name;
    EXPECT_THAT(console.out, HasSubstr("Examples:\n  ")) << name;
  }
}

TEST(Usage, ErrorsNameTheHelpToRead) {
  Console console;
  EXPECT_EQ(console.run({"module", "show"}), 2);
  EXPECT_THAT(console.err, HasSubstr("MODULE"));
  EXPECT_THAT(console.err, HasSubstr("hotswap module show --help"));
  EXPECT_EQ(console.run({}), 2);
  EXPECT_THAT(console.err, HasSubstr("Commands:"));
  EXPECT_THAT(console.err, HasSubstr("a command is missing"));
  EXPECT_EQ(console.run({"module", "--quiet"}), 2);
  EXPECT_THAT(console.err, HasSubstr("  push "));
  EXPECT_EQ(console.run({"module", "ls", "--nonsense"}), 2);
  EXPECT_EQ(console.run({"module", "ls", "--status", "Odd"}), 2);
  EXPECT_EQ(console.run({"nonsense", "--output", "json"}), 2);
  EXPECT_EQ(json::parse(console.err).at("exitCode").as_int64(), 2);
}

TEST(Usage, ErrorsGuessWhatWasMeant) {
  Console console;
  EXPECT_EQ(console.run({"modul", "ls"}), 2);
  EXPECT_THAT(console.err, HasSubstr("'hotswap' has no command 'modul'; did you mean 'module'?"));
  EXPECT_EQ(console.run({"module", "lst"}), 2);
  EXPECT_THAT(console.err, HasSubstr("'hotswap module' has no command 'lst'; did you mean 'ls'?"));
  EXPECT_EQ(console.run({"module", "ls", "--stat=Active"}), 2);
  EXPECT_THAT(console.err, HasSubstr("'hotswap module ls' has no option '--stat=Active'; did you mean '--status'?"));
  EXPECT_EQ(console.run({"xyzzy"}), 2);
  EXPECT_THAT(console.err, Not(HasSubstr("did you mean")));
}

TEST(Version, IsPrintedAsTableJsonAndYaml) {
  Console console;
  EXPECT_EQ(console.run({"version"}), 0);
  EXPECT_THAT(console.out, HasSubstr("hotswap:"));
  EXPECT_EQ(console.run({"--output", "json", "version"}), 0);
  const auto before = console.out;
  EXPECT_TRUE(json::parse(before).at("version").is_string());
  EXPECT_EQ(console.run({"version", "--output=json"}), 0) << "global options may follow the command";
  EXPECT_EQ(console.out, before);
  EXPECT_EQ(console.run({"module", "--output", "json", "ls", "--server", "http://127.0.0.1:1"}), 4);
  EXPECT_TRUE(json::parse(console.err).is_object()) << "or stand between group and command";
  EXPECT_EQ(console.run({"version", "--output", "yaml"}), 0);
  EXPECT_THAT(console.out, HasSubstr("version: \""));
}

class Configuration : public CommandTest {};

TEST_F(Configuration, FileIsWeakerThanAnOptionAndStrongerThanTheEnvironment) {
  const Environment environment{{"HOTSWAP_SERVER", "http://env:1"}, {"XDG_CONFIG_HOME", path("xdg")}};
  EXPECT_EQ(resolve_settings({}, {})->server, kDefaultServer);
  EXPECT_EQ(resolve_settings({}, environment)->server, "http://env:1");
  write_file("xdg/hotswap/config.yaml", "server: http://file:2/\noutput: yaml\nregion: eu\n");
  const auto from_file = resolve_settings({}, environment);
  ASSERT_TRUE(from_file);
  EXPECT_EQ(from_file->server, "http://file:2");
  EXPECT_EQ(from_file->output, OutputFormat::yaml);
  EXPECT_EQ(from_file->region, "eu");
  EXPECT_EQ(resolve_settings({.server = ""}, environment).error().exit, ExitCode::Usage);
  EXPECT_EQ(resolve_settings({.server = "host:3"}, environment)->server, "http://host:3");
}

TEST_F(Configuration, MistakesInTheFileAreNamed) {
  write_file("odd.yaml", "sever: http://x\n");
  EXPECT_EQ(console.run({"version", "--config", path("odd.yaml")}), 2);
  EXPECT_THAT(console.err, HasSubstr("sever: unknown key; known keys are server, output, region"));
  write_file("value.yaml", "output: xml\n");
  EXPECT_EQ(console.run({"version", "--config", path("value.yaml")}), 2);
  EXPECT_THAT(console.err, HasSubstr("expected one of table, json, yaml, got \"xml\""));
  EXPECT_EQ(console.run({"version", "--config", path("missing.yaml")}), 2);
  EXPECT_THAT(console.err, HasSubstr("cannot read"));
  write_file("broken.yaml", "a: [\n");
  EXPECT_EQ(console.run({"version", "--config", path("broken.yaml")}), 2);
}

TEST(Completion, ScriptsCoverCommandsOptionsAndValues) {
  Console console;
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    EXPECT_EQ(console.run({"completion", shell}), 0);
    for (const auto* word : {"rollback", "status", "BlueGreen", "Deprecated"}) {
      EXPECT_THAT(console.out, HasSubstr(word)) << shell;
    }
  }
  EXPECT_EQ(console.run({"completion", "tcsh"}), 2);
}

TEST_F(Configuration, CompletionScriptOfBashParsesAndCompletes) {
  EXPECT_EQ(console.run({"completion", "bash"}), 0);
  write_file("hotswap.bash", console.out);
  const auto script = path("hotswap.bash");
  EXPECT_EQ(std::system(("bash -n " + script).c_str()), 0);
  const auto complete = [&](const std::string& words, int at) {
    write_file("ask.bash", "source " + script + "\nCOMP_WORDS=(" + words + ")\nCOMP_CWORD=" + std::to_string(at) +
                               "\n_hotswap\necho \"${COMPREPLY[*]}\" > " + path("answer"));
    EXPECT_EQ(std::system(("bash " + path("ask.bash")).c_str()), 0);
    return read_file("answer");
  };
  EXPECT_EQ(complete("hotswap mod", 1), "module\n");
  EXPECT_EQ(complete("hotswap module p", 2), "push pull\n");
  EXPECT_EQ(complete("hotswap module ls --sta", 3), "--status\n");
  EXPECT_EQ(complete("hotswap module ls --status D", 4), "Deprecated Disabled\n");
  EXPECT_EQ(complete("hotswap --output ''", 2), "table json yaml\n");
  EXPECT_EQ(complete("hotswap completion z", 2), "zsh\n");
}

TEST(Push, TakesNameAndVersionFromTheFileName) {
  EXPECT_EQ(named_version("a/b/hello-v1.2.3.wasm"), (NamedVersion{"hello", "1.2.3"}));
  EXPECT_EQ(named_version("hello@1.2.3.wasm"), (NamedVersion{"hello", "1.2.3"}));
  EXPECT_EQ(named_version("a-v1-v2.0.0.wasm"), (NamedVersion{"a-v1", "2.0.0"}));
  EXPECT_EQ(named_version("hello.wasm"), std::nullopt);
  const auto registration = registration_of({.file = "hello-v1.2.3.wasm", .version = "2.0.0"});
  EXPECT_EQ(registration->name, "hello");
  EXPECT_EQ(registration->version, "2.0.0");
  EXPECT_EQ(registration_of({.file = "hello.wasm", .name = "x"}).error().exit, ExitCode::Usage);
}

TEST(Push, TurnsOptionsIntoLimits) {
  const auto registration = registration_of({.file = "a-v1.0.0.wasm",
                                             .memory = 64,
                                             .cpu = 10,
                                             .allow = {"a.example", "*.b.example:443"},
                                             .directories = {"/data:rw", "/tmp:rw"},
                                             .environment = {"A=1=2"},
                                             .metadata = {"commit=abc"}});
  ASSERT_TRUE(registration);
  const auto& limits = registration->limits;
  EXPECT_EQ(limits.maxMemoryMB, 64);
  EXPECT_EQ(limits.maxCpuPercent, 10);
  EXPECT_EQ(limits.networkAccess, NetworkAccess::AllowList);
  EXPECT_EQ(limits.filesystemAccess, FilesystemAccess::ReadWrite);
  EXPECT_EQ(limits.allowedDirectories, (std::vector<std::string>{"/data", "/tmp"}));
  EXPECT_EQ(limits.environmentVariables.at("A"), "1=2");
  EXPECT_EQ(registration->metadata.at("commit"), "abc");
}

TEST(Push, RefusesWhatCannotBeExpressed) {
  const auto refused = [](PushOptions options) {
    options.file = "a-v1.0.0.wasm";
    const auto registration = registration_of(options);
    return !registration && registration.error().exit == ExitCode::Usage;
  };
  EXPECT_TRUE(refused({.directories = {"/a:ro", "/b:rw"}}));
  EXPECT_TRUE(refused({.allow = {"x"}, .network = true}));
  EXPECT_TRUE(refused({.environment = {"A"}}));
  EXPECT_TRUE(refused({.environment = {"A=1", "A=2"}}));
  EXPECT_TRUE(refused({.metadata = {"=1"}}));
}

TEST(InvokeRequest, WordsAreJsonOrStrings) {
  EXPECT_EQ(json_of_word("1.50000000000000000001"), "1.50000000000000000001");
  EXPECT_EQ(json_of_word("world"), "\"world\"");
  EXPECT_EQ(json_of_word("\"42\""), "\"42\"");
  EXPECT_EQ(json_of_word("null"), "null");
  EXPECT_EQ(json_of_word("[1,2]"), "[1,2]");
  EXPECT_EQ(json_of_word("say \"hi\""), R"("say \"hi\"")");
  EXPECT_EQ(json_of_word(""), "\"\"");
}

TEST(InvokeRequest, ANameLeavesTheVersionToTheRoute) {
  EXPECT_EQ(*invocation_body({.module = "calc", .function = "add", .words = {"1", "2"}}, std::nullopt),
            R"({"module":"calc","function":"add","params":[1,2]})");
  EXPECT_EQ(*invocation_body({.module = "calc@1.0.0", .function = "f", .params = R"({"a": 1})"}, "eu"),
            R"({"moduleId":"calc-v1.0.0","function":"f","params":{"a": 1},"region":"eu"})");
  EXPECT_FALSE(invocation_body({.module = "a", .function = "f", .words = {"1"}, .params = "[1]"}, std::nullopt));
  EXPECT_FALSE(invocation_body({.module = "a", .function = "f", .params = "1"}, std::nullopt));
}

TEST(Deploy, SendsOnlyWhatWasGiven) {
  EXPECT_EQ(*deployment_body({.reference = "a@1.0.0"}, std::nullopt),
            json::parse(R"({"moduleId":"a-v1.0.0","targetRegions":["all"]})"));
  EXPECT_EQ(*deployment_body({.reference = "a@1.0.0"}, "eu"),
            json::parse(R"({"moduleId":"a-v1.0.0","targetRegions":["eu"]})"));
  EXPECT_EQ(*deployment_body({.reference = "a-v1.0.0",
                              .nodes = {"n1"},
                              .how = {.strategy = "Canary", .config_json = R"({"stages":[10,100]})"},
                              .host = "www.example.com",
                              .no_health_check = true,
                              .no_auto_rollback = true},
                             "eu"),
            json::parse(R"({"moduleId":"a-v1.0.0","targetNodes":["n1"],"strategy":"Canary",
                "strategyConfig":{"stages":[10,100]},"http":{"host":"www.example.com","pathPrefix":"/"},
                "healthCheck":{"enabled":false},"autoRollbackEnabled":false})"));
  EXPECT_EQ(deployment_body({.reference = "a@1.0.0", .path = "shop"}, std::nullopt)->at("http"),
            json::parse(R"({"pathPrefix":"/shop/"})"));
  EXPECT_EQ(
      deployment_body({.reference = "a@1.0.0", .health_path = "/up", .health_status = 204}, "eu")->at("healthCheck"),
      json::parse(R"({"httpPath":"/up","httpStatus":204})"));
  EXPECT_FALSE(deployment_body({.reference = "a@1.0.0", .how = {.config_json = "[1]"}}, std::nullopt));
}

TEST(Deploy, SaysAStrategyInItsOptions) {
  EXPECT_EQ(*deployment_body({.reference = "a@1.0.0",
                              .how = {.strategy = "canary", .stages = "10,50,100", .hold = "2m", .by = "nodes"},
                              .on_conflict = "queue"},
                             std::nullopt),
            json::parse(R"({"moduleId":"a-v1.0.0","targetRegions":["all"],"strategy":"Canary","onConflict":"queue",
                "strategyConfig":{"stages":[10,50,100],"holdSeconds":120,"by":"nodes"}})"));
  EXPECT_EQ(strategy_config({.strategy = "Rolling", .hold = "5", .batch_size = "25%"}).value(),
            json::parse(R"({"batchDurationSeconds":5,"batchSize":"25%"})").as_object());
  EXPECT_EQ(strategy_config({.strategy = "ab-testing", .weights = "80,20", .hold = "1h", .manual = true}).value(),
            json::parse(R"({"weights":[80,20],"maximumSeconds":3600,"promotion":"manual"})").as_object());
  EXPECT_EQ(strategy_config({.strategy = "blue-green", .hold = "0s", .manual = true}).value(),
            json::parse(R"({"testDurationSeconds":0,"progression":"manual"})").as_object());
  EXPECT_EQ(strategy_config({.strategy = "regional", .order = "us,eu"}).value(),
            json::parse(R"({"regions":["us","eu"]})").as_object());
  EXPECT_FALSE(strategy_config({.stages = "10,x"}));
  EXPECT_FALSE(strategy_config({.hold = "soon"}));
  EXPECT_EQ(strategy_name("Blue_Green"), "BlueGreen");
}

TEST(Reference, NameAtVersionIsTheModulesId) {
  EXPECT_EQ(module_id_of("a@1.0.0"), "a-v1.0.0");
  EXPECT_EQ(module_id_of("a-v1.0.0"), "a-v1.0.0");
}

TEST(Urls, AreEncoded) {
  EXPECT_EQ(percent_encode("a b/ü~"), "a%20b%2F%C3%BC~");
  EXPECT_EQ(with_query("/x", {{"a", "1&2"}, {"b", ""}}), "/x?a=1%262&b=");
  EXPECT_EQ(path_of("/m", "a/b", "c"), "/m/a%2Fb/c");
}

TEST(Failures, AreOneJsonObjectWhenJsonIsAskedFor) {
  Console console;
  // Nothing listens on port 1.
  EXPECT_EQ(console.run({"module", "ls", "--server", "http://127.0.0.1:1", "--output", "json"}), 4);
  const auto failure = json::parse(console.err);
  EXPECT_EQ(failure.at("exitCode").as_int64(), 4);
  EXPECT_THAT(std::string(failure.at("next").as_string()), HasSubstr("hotswap up"));
  EXPECT_THAT(console.out, IsEmpty());
  EXPECT_EQ(console.run({"module", "ls", "--server", "ftp://x"}), 2);
  EXPECT_THAT(console.err, Not(IsEmpty()));
}

}  // namespace
}  // namespace hotswap::cli
