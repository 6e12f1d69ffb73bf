#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/table.h"

namespace hotswap::cli {

void add_version_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("version", "Print the version of this program");
  command->footer("Examples:\n  hotswap version\n  hotswap version --output json");
  on_run(*command, context, [&context]() -> Outcome<int> {
    const json::value value{{"version", HOTSWAP_VERSION}, {"compiler", __VERSION__}};
    print_result(context, {json::serialize(value), value}, [&] {
      if (context.settings.quiet) {
        context.out << HOTSWAP_VERSION << '\n';
        return;
      }
      Sheet sheet;
      sheet.add("hotswap", HOTSWAP_VERSION);
      sheet.add("compiler", __VERSION__);
      context.out << sheet.text(colored(context));
    });
    return kOk;
  });
}

}  // namespace hotswap::cli
