// What is mailed about what waits for approval, and about what became of it. Pure.
#pragma once

#include <vector>

#include "control/settings.h"
#include "model/deployment.h"
#include "model/interface.h"
#include "model/mail.h"

namespace hotswap::control {

// One mail for each approver; none where no mail is sent at all.
[[nodiscard]] std::vector<Mail> asking(const MailOptions& options, const WasiInterface& interface, TimePoint now);
[[nodiscard]] std::vector<Mail> asking(const MailOptions& options, const Deployment& deployment, bool production,
                                       TimePoint now);

// The same, and one for whoever asked, where the name of that user is an address.
[[nodiscard]] std::vector<Mail> decided(const MailOptions& options, const WasiInterface& interface, TimePoint now);
[[nodiscard]] std::vector<Mail> decided(const MailOptions& options, const Deployment& deployment, TimePoint now);

}  // namespace hotswap::control
