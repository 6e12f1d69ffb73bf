#include "control/approval_mail.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace hotswap::control {
namespace {

constexpr std::size_t kChangesTold = 50;  // the deployment itself has all of them

struct Letter {
  std::string subject;
  std::string text;
};

std::vector<Mail> to_each(std::vector<std::string> addresses, const Letter& letter, TimePoint now) {
  std::vector<Mail> mails;
  for (auto& address : addresses) {
    mails.push_back({.to = std::move(address), .subject = letter.subject, .text = letter.text, .at = now});
  }
  return mails;
}

std::vector<std::string> with_asker(const MailOptions& options, const std::string& asker) {
  auto addresses = options.approvers;
  const bool known = std::ranges::find(addresses, asker) != addresses.end();
  if (is_mail_address(asker) && !known) addresses.push_back(asker);
  return addresses;
}

std::string regions_of(const Deployment& deployment) {
  std::vector<std::string_view> names;
  for (const auto& region : deployment.targetRegions) names.push_back(region.str());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string breaks_of(const Deployment& deployment) {
  if (deployment.breaksCallers.empty()) return {};
  std::string text = "\nIt breaks those who call the version in place:\n";
  const auto told = std::min(deployment.breaksCallers.size(), kChangesTold);
  for (std::size_t i = 0; i < told; ++i) text += fmt::format("  - {}\n", text_of(deployment.breaksCallers[i]));
  if (told < deployment.breaksCallers.size()) {
    text += fmt::format("  and {} more\n", deployment.breaksCallers.size() - told);
  }
  return text;
}

std::string warnings_of(const Deployment& deployment) {
  std::string text;
  for (const auto& warning : deployment.warnings) {
    text += fmt::format("\n{} uses {}: {}\n", deployment.moduleId.str(), warning.subject, warning.message);
  }
  return text;
}

}  // namespace

std::vector<Mail> asking(const MailOptions& options, const WasiInterface& interface, TimePoint now) {
  if (!options.enabled()) return {};
  const std::string& id = interface.interfaceId.str();
  Letter letter{.subject = fmt::format("Interface {} waits for approval", id), .text = {}};
  letter.text = fmt::format("{} submitted the interface {}.\n", interface.submittedBy.value_or(""), id);
  if (interface.description) letter.text += fmt::format("\n{}\n", *interface.description);
  if (const auto& breaking = interface.breaking) {
    letter.text +=
        fmt::format("\nIt is not what its compatibility, {}, promises: {}\n  {} of its changes since {} break\n",
                    enum_name(interface.compatibility), breaking->problem, breaking->changes, breaking->against);
    letter.text += fmt::format("\nWhat changed: hotswap interface diff {} {}", breaking->against, id);
  }
  letter.text += fmt::format(
      "\nSee it:       hotswap interface show {0}\nApprove it:   hotswap interface approve {0}\n"
      "Reject it:    hotswap interface reject {0} --reason TEXT\n",
      id);
  return to_each(options.approvers, letter, now);
}

std::vector<Mail> asking(const MailOptions& options, const Deployment& deployment, bool production, TimePoint now) {
  if (!options.enabled()) return {};
  const std::string& id = deployment.deploymentId.str();
  Letter letter{.subject = fmt::format("Deployment of {} waits for approval", deployment.moduleId.str()), .text = {}};
  letter.text = fmt::format("{} wants to deploy {} to {} ({}).\n", deployment.createdBy, deployment.moduleId.str(),
                            regions_of(deployment), enum_name(deployment.strategy));
  if (production) letter.text += "\nIt goes to production.\n";
  letter.text += breaks_of(deployment) + warnings_of(deployment);
  letter.text += fmt::format("\nSee it:     hotswap rollout show {0}\nApprove it: hotswap rollout approve {0}\n", id);
  return to_each(options.approvers, letter, now);
}

std::vector<Mail> decided(const MailOptions& options, const WasiInterface& interface, TimePoint now) {
  if (!options.enabled()) return {};
  const std::string& id = interface.interfaceId.str();
  Letter letter;
  if (interface.status == InterfaceStatus::Rejected) {
    letter.subject = fmt::format("Interface {} was rejected", id);
    letter.text = fmt::format("{} rejected the interface {}:\n\n{}\n", interface.rejectedBy.value_or(""), id,
                              interface.rejectionReason.value_or(""));
  } else {
    letter.subject = fmt::format("Interface {} was approved", id);
    letter.text = fmt::format("{} approved the interface {}. It is in force.\n", interface.approvedBy.value_or(""), id);
  }
  return to_each(with_asker(options, interface.submittedBy.value_or("")), letter, now);
}

std::vector<Mail> decided(const MailOptions& options, const Deployment& deployment, TimePoint now) {
  if (!options.enabled()) return {};
  const std::string& id = deployment.deploymentId.str();
  Letter letter{.subject = fmt::format("Deployment of {} was approved", deployment.moduleId.str()), .text = {}};
  letter.text = fmt::format("{} approved that {} is deployed to {}.\n", deployment.approvedBy.value_or(""),
                            deployment.moduleId.str(), regions_of(deployment));
  letter.text += breaks_of(deployment);
  letter.text += fmt::format("\nStart it: hotswap rollout execute {}\n", id);
  return to_each(with_asker(options, deployment.createdBy), letter, now);
}

}  // namespace hotswap::control
