// What guests reach for: servers of the test's own, on loopback.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "e2e/child.h"

namespace hotswap::e2e {

// Answers by path, a connection at a time: /redirect?TO, /huge?BYTES, /slow (a head and one byte), /take (reads the
// body to its end), anything else with the request's head. Any thread may ask what it saw.
class WebServer {
 public:
  WebServer();
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string at(const std::string& host) const { return host + ':' + std::to_string(port_); }
  // Connections so far.
  [[nodiscard]] int seen() const noexcept { return seen_.load(); }

 private:
  void serve(int connection) const;

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> seen_{0};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

// A certificate authority, and a TLS server with a certificate of it for `name`. Uses the openssl program.
class TlsServer {
 public:
  explicit TlsServer(const std::string& name);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  [[nodiscard]] const std::string& authority_file() const noexcept { return authority_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  Folder folder_;
  std::string authority_;
  std::uint16_t port_ = 0;
  pid_t id_ = -1;
};

// A name server at 127.0.0.253: each look-up of a name gets the next of its answers, the last one from then on. Needs
// root, for port 53 and for the mount that makes a process ask it.
class NameServer {
 public:
  // Why there can be none here; "" where there can.
  [[nodiscard]] static std::string why_not();
  // Answers are IPv4 addresses; several in one answer are separated by spaces.
  explicit NameServer(std::map<std::string, std::vector<std::string>> answers);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  // Words before a program that shall ask this server.
  [[nodiscard]] std::vector<std::string> before() const;
  // Look-ups of IPv4 addresses of that name so far.
  [[nodiscard]] std::size_t asked(const std::string& name) const;

 private:
  void run();
  std::string answer(const std::string& query);

  Folder folder_;
  int socket_ = -1;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> answers_;
  std::map<std::string, std::size_t> asked_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace hotswap::e2e
