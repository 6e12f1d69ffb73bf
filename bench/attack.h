// Connections that send one request again and again, each as soon as it is answered.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hotswap::bench {

// Shares the thread of a load that it may disturb by way of the server only: in a process of its own on the same core,
// the scheduler would hold one up for the other by whole ticks. What it is answered does not count. Destruction closes
// its connections, which ends its calls.
class Attack {
 public:
  Attack(const std::string& host, const std::string& port, const std::string& path, const std::string& body_file,
         std::size_t connections);
  ~Attack();
  Attack(const Attack&) = delete;
  Attack& operator=(const Attack&) = delete;

  // Sends or receives one piece, where one can be without waiting.
  void step();

 private:
  struct Connection {
    int socket = -1;
    std::string in;
    std::size_t sent = 0;  // of the request
  };

  void open(Connection& connection);
  void close(Connection& connection);
  void send(Connection& connection);
  void receive(Connection& connection);

  std::string host_;
  std::string port_;
  std::string request_;
  int epoll_;
  std::vector<Connection> all_;
};

}  // namespace hotswap::bench
