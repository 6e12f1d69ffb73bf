#include "net/certificates.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <memory>

namespace hotswap::net {

Result<> check_certificates(const std::string& file) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), &X509_STORE_free);
  if (store && X509_STORE_load_file(store.get(), file.c_str()) == 1) return {};
  const char* why = ERR_reason_error_string(ERR_peek_last_error());
  auto failure = fail(ErrorKind::kInvalid, fmt::format("{} holds no certificates that can be read ({}): expected PEM, "
                                                       "-----BEGIN CERTIFICATE----- and so on",
                                                       file, why == nullptr ? "unknown" : why));
  ERR_clear_error();
  return failure;
}

}  // namespace hotswap::net
