#include "base/blocking_pool.h"

#include <boost/asio/post.hpp>
#include <pthread.h>

namespace hotswap {

BlockingPool::BlockingPool(std::string name, std::size_t threads) : pool_(threads) {
  // Naming is for people who look at the process; each thread takes one naming task as they all start idle.
  for (std::size_t i = 0; i < threads; ++i) {
    asio::post(pool_, [name] { pthread_setname_np(pthread_self(), name.c_str()); });
  }
}

BlockingPool::~BlockingPool() { pool_.join(); }

}  // namespace hotswap
