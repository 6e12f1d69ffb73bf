// libcurl's handles, owned.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <new>
#include <string>
#include <tuple>

namespace hotswap::net {

struct CurlCloser {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using CurlHandle = std::unique_ptr<CURL, CurlCloser>;

// Null where libcurl cannot be started.
inline CurlHandle make_curl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  return CurlHandle(ready == CURLE_OK ? curl_easy_init() : nullptr);
}

// TLS 1.2 at least, and always a certificate that fits the name and hangs together with `ca_file` (PEM), or with the
// system's where that is empty.
inline void verify_server(CURL* handle, const std::string& ca_file) {
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (ca_file.empty()) return;
  curl_easy_setopt(handle, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
}

// Lines such as headers.
class CurlList {
 public:
  void add(const std::string& line) {
    auto* longer = curl_slist_append(list_.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    std::ignore = list_.release();
    list_.reset(longer);
  }
  [[nodiscard]] curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, CurlCloser> list_;
};

}  // namespace hotswap::net
