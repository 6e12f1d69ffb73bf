// A binary on its way out: read on a blocking thread, sent on the connection's, with a bounded window between.
#pragma once

#include "base/blocking_pool.h"
#include "blobs/blobs.h"
#include "net/http.h"

namespace hotswap::control {

// Replies with the content, verified as it goes: where the digest turns out wrong, the connection is cut, so that a
// client never takes a corrupt binary for a whole one. `transfers` is a pool of its own, because a slow client holds
// one of its threads. Honours "Range: bytes=N-", which resumes a download that broke off; any other range gets the
// whole.
Task<Result<>> send_blob(net::Exchange& exchange, BlobStore& blobs, BlockingPool& transfers, Digest digest,
                         std::uint64_t size_bytes, std::span<const net::Header> headers);

}  // namespace hotswap::control
