#include "cli/invoke_command.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/module_commands.h"
#include "model/invocation.h"

namespace hotswap::cli {
namespace {

// A call may take 300 s at most (ResourceLimits); the rest is for the way there and back.
constexpr std::chrono::seconds kCallDeadline{330};

std::string json_string(std::string_view text) { return json::serialize(json::value(json::string(text))); }

Failure guest_failure(const json::value& result) {
  const auto kind = text_of(result, "errorType");
  auto message = text_of(result, "errorMessage");
  if (message.empty()) message = "exit code " + text_of(result, "exitCode");
  return Failure{.exit = ExitCode::GuestFailure,
                 .title = kind.empty() ? "The module failed" : fmt::format("The module failed ({})", kind),
                 .detail = std::move(message),
                 .trace_id = text_of(result, "traceId"),
                 .backtrace = text_of(result, "backtrace")};
}

// Standard output holds the result alone; what the guest printed goes beside it.
void print_guest_streams(Context& context, const json::value& result) {
  for (const auto* name : {"stdout", "stderr"}) {
    const auto text = text_of(result, name);
    if (text.empty()) continue;
    context.err << text;
    if (!text.ends_with('\n')) context.err << '\n';
  }
}

Outcome<int> report_result(Context& context, const InvokeOptions& options, const Document& document) {
  const auto* success = member(document.value, "success").if_bool();
  const bool succeeded = success != nullptr && *success;
  const bool yaml = context.settings.output == OutputFormat::yaml;
  if (yaml) {
    context.out << to_yaml(document.value) << '\n';
  } else if (options.whole_result || context.settings.output == OutputFormat::json) {
    context.out << document.text << '\n';
  } else {
    print_guest_streams(context, document.value);
    if (succeeded) {
      const auto value = raw_member(document.text, "returnValue");
      context.out << (value.empty() ? "null" : value) << '\n';
    }
  }
  if (succeeded) return kOk;
  return std::unexpected(guest_failure(document.value));
}

Outcome<int> invoke(Context& context, const InvokeOptions& options) {
  HS_TRY(auto body, invocation_body(options, context.settings.region));
  HS_TRY(const auto api, Api::open(context));
  net::ClientRequest request;
  request.method = "POST";
  request.target = std::string(kExecutePath);
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  request.body = std::move(body);
  request.timeout = kCallDeadline;
  auto document = api->send_for_document(std::move(request));
  if (!document) {
    if (document.error().status == 404) {
      document.error().next = fmt::format(
          "'hotswap module ls --name {0}' has its versions, 'hotswap module show "
          "{0}@VERSION' their functions",
          options.module.substr(0, options.module.rfind('@')));
    }
    return std::unexpected(document.error());
  }
  return report_result(context, options, *document);
}

}  // namespace

std::string json_of_word(std::string_view word) { return parse_json(word) ? std::string(word) : json_string(word); }

Outcome<std::string> invocation_body(const InvokeOptions& options, const std::optional<std::string>& default_region) {
  if (!options.params.empty() && !options.words.empty()) {
    return usage_failure("--params holds all parameters: give no others beside it");
  }
  std::string params = options.params;
  if (params.empty()) {
    std::vector<std::string> values;
    for (const auto& word : options.words) values.push_back(json_of_word(word));
    params = fmt::format("[{}]", fmt::join(values, ","));
  } else if (const auto parsed = parse_json(params); !parsed || !(parsed->is_array() || parsed->is_object())) {
    return usage_failure("--params: expected a JSON array, or an object by parameter name" +
                         (parsed ? std::string() : "; " + parsed.error().detail));
  }
  // Put together as text: a number keeps every digit that was typed.
  const bool exact = options.module.contains('@');
  std::string body = fmt::format(R"({{"{}":{},"function":{},"params":{})", exact ? "moduleId" : "module",
                                 json_string(module_id_of(options.module)), json_string(options.function), params);
  const auto region = options.region.empty() ? default_region.value_or("") : options.region;
  if (!region.empty()) body += fmt::format(R"(,"region":{})", json_string(region));
  if (!options.bytes.empty()) body += fmt::format(R"(,"bytes":{})", json_string(options.bytes));
  return body + "}";
}

void add_invoke_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("invoke", "Call a function of a module and print what it returns");
  auto options = std::make_shared<InvokeOptions>();
  command->add_option("MODULE", options->module, "NAME for the version in service, NAME@VERSION for exactly that one")
      ->required()
      ->type_name("");
  command->add_option("FUNCTION", options->function, "Function: fn, interface#fn or ns:pkg/interface@version#fn")
      ->required()
      ->type_name("");
  command->add_option("JSON", options->words, "Parameters, one word each; a word that is not JSON is taken as a string")
      ->type_name("");
  command->add_option("--params", options->params, "All parameters at once: a JSON array, or an object by name")
      ->type_name("JSON");
  command->add_option("--region", options->region, "Call it in this region")->type_name("REGION");
  command->add_option("--bytes", options->bytes, "How bytes (list<u8>) come back")
      ->check(CLI::IsMember(member_names<BytesEncoding>()))
      ->type_name("FORM");
  command->add_flag("--json-result", options->whole_result,
                    "Print the whole result (time, memory, node, trace id), as --output json does");
  command->footer(R"(Examples:
  hotswap invoke hello add 2 3
  hotswap invoke hello greet world                    "world" is not JSON, so it is the string "world"
  hotswap invoke hello greet '"42"'                   the string "42", not the number
  hotswap invoke hello@1.0.0 sum '[1, 2, 3]'
  hotswap invoke shop orders#place --params '{"customer": "ada", "items": [{"sku": "a1", "count": 2}]}'

The return value is one line of JSON on standard output. What the module printed, and why it failed, is on standard
error; exit code 3 says that the module failed. Write -- before a word that begins with a dash and is no number.)");
  on_run(*command, context, [&context, options] { return invoke(context, *options); });
}

}  // namespace hotswap::cli
