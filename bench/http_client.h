// What the load's connections have in common.
#pragma once

#include <string>

namespace hotswap::bench {

[[noreturn]] void die(const std::string& what);

std::string contents(const std::string& file);

// A GET where there is no body, or else a POST of JSON.
std::string request_of(const std::string& host, const std::string& path, const std::string& body);

// `window`: bytes that the other side may have on their way; the kernel's default where it is 0.
int connect_to(const std::string& host, const std::string& port, int window = 0);

// Bytes of the first whole reply in `in`, or 0; `ok`: whether its status is 2xx. Replies state Content-Length or are
// chunked.
std::size_t whole_reply(const std::string& in, bool& ok);

}  // namespace hotswap::bench
