// Every fixed bound of the product, in one table. What a deployment may change stands in the settings instead
// (src/cli/server.h); what a module states for itself stands in ResourceLimits (src/model/resource_limits.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hotswap::limits {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// ---- requests ---------------------------------------------------------------------------------------------------
inline constexpr std::size_t kRequestHeaderBytes = 64 * kKiB;  // request line and all header fields
inline constexpr std::size_t kJsonBodyBytes = 4 * kMiB;        // a JSON request other than a module upload
inline constexpr std::size_t kJsonDepth = 64;                  // nesting of a JSON request
inline constexpr std::size_t kUrlBytes = 8 * kKiB;
inline constexpr std::size_t kReplyPiece = 16 * kKiB;  // of a reply that is handed to the kernel at a stretch
inline constexpr seconds kIdleConnection{75};          // keep-alive without a request
inline constexpr seconds kClientIdleConnection{60};    // of a client's own, less than a server's kIdleConnection
inline constexpr seconds kRequestHead{30};             // from the first byte to the end of the header
inline constexpr seconds kBodyProgress{30};            // without a byte of body from the client
inline constexpr seconds kDrain{30};                   // after SIGTERM, for requests in flight
inline constexpr seconds kLeave{10};  // before that, of a node, for its peers to send it no more requests
inline constexpr std::size_t kConnectionsPerThread = 16384;
inline constexpr std::size_t kPageDefault = 50;
inline constexpr std::size_t kPageMax = 500;

// ---- modules (FR-WASM-001, FR-WASM-009) -------------------------------------------------------------------------
inline constexpr std::size_t kModuleBytes = 50 * kMiB;
inline constexpr std::size_t kVersionsKept = 5;     // per name; never one that something refers to
inline constexpr std::size_t kWitBytes = 4 * kMiB;  // all texts of a package and of what it depends on
inline constexpr std::size_t kModulesPerCluster = 10'000;
inline constexpr std::size_t kModulesPerNode = 1'000;
inline constexpr std::size_t kNameBytes = 128;
inline constexpr std::size_t kDescriptionBytes = 4 * kKiB;
inline constexpr std::size_t kMetadataEntries = 64;
inline constexpr std::size_t kMetadataBytes = 16 * kKiB;  // all keys and values together
inline constexpr std::size_t kEnvironmentEntries = 128;
inline constexpr std::size_t kEnvironmentBytes = 32 * kKiB;
inline constexpr std::size_t kListEntries = 64;  // allowed directories, allowed hosts, target regions

// ---- calls ------------------------------------------------------------------------------------------------------
inline constexpr std::size_t kOutputBytes = 4 * kMiB;        // captured output, and a JSON result, each
inline constexpr milliseconds kEpochTick{1};                 // how long a guest may hold its thread
inline constexpr std::uint32_t kPoolInstances = 1'000;       // simultaneous core instances of a process
inline constexpr std::size_t kPoolMemoryBytes = 512 * kMiB;  // largest linear memory: ResourceLimits' maximum
inline constexpr milliseconds kCpuWindow{100};               // over which a CPU percentage is held
inline constexpr microseconds kStall{250};                   // on an I/O thread at a stretch: shorter holds nobody up
inline constexpr double kStallShare = 0.001;                 // of the time that a version may hold I/O threads up
inline constexpr milliseconds kStallCredit{20};              // that it may hold them up in advance
inline constexpr std::size_t kAsideBytes = 64 * kKiB;  // longer parameters and results no I/O thread reads or writes
inline constexpr double kAsideShare = 0.1;             // of a core that guests aside keep from I/O threads
inline constexpr milliseconds kAsideLook{1};           // between looks at whether they have it
inline constexpr microseconds kAsideNudge{250};        // a guest aside keeps an I/O thread from its core no longer

// ---- audit (docs/isolation.md) ----------------------------------------------------------------------------------
inline constexpr seconds kAuditWindow{10};               // within which entries are counted
inline constexpr std::size_t kAuditVersionEntries = 20;  // of one version and one outcome in a window
inline constexpr std::size_t kAuditNodeEntries = 200;    // of a node in a window, whatever they are of
inline constexpr std::size_t kAuditTextBytes = 256;      // of each text that a client or a guest chose

// ---- network and files of guests (ResourceLimits has what a module may state) ------------------------------------
inline constexpr seconds kOutboundConnect{10};       // look-up, connection and TLS
inline constexpr seconds kOutboundFirstByte{60};     // from the request to the head of its response
inline constexpr seconds kOutboundBetweenBytes{30};  // of a response's body
inline constexpr seconds kOutboundTotal{300};        // of one request, to the last byte of its response
inline constexpr unsigned kOutboundDepth = 8;  // calls that a request may lead through, each by an outbound request
inline constexpr int kOutboundRequestsMost = 10'000;  // that a module may state for a call
inline constexpr int kOutboundMegabytesMost = 1'024;
inline constexpr int kFilesMegabytesMost = 10'240;  // that a module may state for its folder on a node
inline constexpr int kFilesMost = 1'000'000;

// ---- deployments ------------------------------------------------------------------------------------------------
inline constexpr seconds kPrepareDeadline{60};      // for a node to report a version ready
inline constexpr seconds kHoldMost{7 * 24 * 3600};  // of any hold, test or keeping time that a strategy states
inline constexpr std::size_t kCanaryStages = 32;
inline constexpr std::size_t kAnalysisMetrics = 16;
inline constexpr int kDeploymentsPerHour = 100;  // the default; source 002, "Global Limits"
inline constexpr int kDeploymentsPerHourCeiling = 1'000'000;
inline constexpr milliseconds kFigureMarkInterval{250};   // within which a window of figures begins
inline constexpr std::size_t kFigureMarks = 512;          // of one version in one region; then every second goes
inline constexpr std::chrono::hours kTrafficKept{1};      // figures of a version that nobody calls any more
inline constexpr seconds kTrafficWatched{15};             // nodes report faster for so long after somebody looked
inline constexpr milliseconds kTrafficWatchPerNode{10};   // between reports then, for each node of the fleet
inline constexpr milliseconds kPrometheusTimeout{2'000};  // of all queries of one measurement
inline constexpr std::size_t kPrometheusReplyBytes = 64 * kKiB;  // of the answer to one query
inline constexpr std::size_t kHealthReplyBytes = kMiB;           // of a handler's answer to a health check
inline constexpr std::size_t kEventsPerPage = 500;
inline constexpr seconds kEventHeartbeat{15};  // comment on a silent server-sent event stream
inline constexpr seconds kLongPoll{30};        // a node's wait for a newer desired state

// ---- nodes (FR-WASM-004, "Scalability") -------------------------------------------------------------------------
inline constexpr seconds kReportCeiling{30};       // a node's report interval may not be set beyond
inline constexpr seconds kUnhealthyCeiling{120};   // nor the silence after which a node is unhealthy
inline constexpr milliseconds kLeavingReport{50};  // between reports of a node that waits to leave
inline constexpr int kGoodReportsToReturn = 2;     // of a node that was unhealthy
inline constexpr std::size_t kNodesPerCluster = 1'000;
inline constexpr std::size_t kNodesPerRegion = 100;
inline constexpr std::size_t kJoinTokens = 1'000;  // kept, revoked ones included
inline constexpr int kReplicasMax = 3;             // a replication factor beyond is "all"
inline constexpr std::size_t kTryOutNodes = 32;    // node processes of one `up --nodes`

// ---- autoscaling ("Scalability") --------------------------------------------------------------------------------
inline constexpr milliseconds kScalingLook{1'000};         // between two looks at a region
inline constexpr milliseconds kScalingGap{60'000};         // without a look: the windows begin anew
inline constexpr std::size_t kScalingEventsKept = 10'000;  // then the oldest goes
inline constexpr seconds kScalingTimeMost{7 * 24 * 3600};  // of a window and of the cooldown
inline constexpr int kWebhookTries = 8;                    // of one decision, until it is given up
inline constexpr seconds kWebhookTimeout{10};              // of one try
inline constexpr milliseconds kWebhookRetry{1'000};        // first pause; doubles, each drawn at random below it
inline constexpr milliseconds kWebhookRetryMax{60'000};
inline constexpr std::size_t kWebhookReplyBytes = 64 * kKiB;
inline constexpr seconds kRetireDeadline{600};  // for what a node holds to be elsewhere, before it is stopped

// ---- node agent -------------------------------------------------------------------------------------------------
inline constexpr milliseconds kControlRetry{500};        // first pause after the control plane did not answer
inline constexpr milliseconds kControlRetryMax{10'000};  // pauses grow up to this, each drawn at random below it
inline constexpr std::size_t kFallbackPeers = 16;        // nodes of a region that serve what another has not yet ready
inline constexpr std::size_t kParallelDownloads = 4;     // artifacts fetched at once by a node
inline constexpr int kCorruptDownloads = 3;              // of one artifact, until its version has failed
inline constexpr milliseconds kRateWindow{500};          // that processor and network rates are of, at least
inline constexpr milliseconds kCountInterval{1000};      // between reports of invocation counts
inline constexpr milliseconds kHealthCheckRetry{200};    // between two tries of a failing health check

// ---- shadow: copies of live requests to a version under test --------------------------------------------------------
inline constexpr std::size_t kShadowBodyBytes =
    256 * kKiB;                                          // of a copied request; also of an answer kept for comparison
inline constexpr std::size_t kShadowCopiesRunning = 2;   // at once on one I/O thread
inline constexpr std::size_t kShadowCopiesWaiting = 64;  // for their turn there; what comes then is dropped
inline constexpr milliseconds kShadowPatience{5'000};    // for a copy's answer, or kShadowPatienceFactor
inline constexpr int kShadowPatienceFactor = 4;          // times what the live request took, where that is more
inline constexpr std::size_t kShadowExamples = 8;        // of mismatches, kept for each version
inline constexpr std::size_t kShadowExampleBytes = 256;  // of each text in one

// ---- forwarding -------------------------------------------------------------------------------------------------
inline constexpr milliseconds kPeerEjection{1'000};  // of a node that failed; doubles with each failure in a row
inline constexpr milliseconds kPeerEjectionMax{30'000};
inline constexpr milliseconds kPeerReadmission{10'000};    // over which a returned node comes back to its full share
inline constexpr milliseconds kForwardConnect{2'000};      // for a connection to another node
inline constexpr milliseconds kForwardTimeout{310'000};    // longer than any call may run (ResourceLimits)
inline constexpr std::size_t kForwardPiece = 64 * kKiB;    // of a body that is sent on
inline constexpr std::size_t kForwardReplay = 256 * kKiB;  // of a request's body, kept for a second node

inline constexpr std::uint64_t kCodeCacheBytes = 4096 * kMiB;  // machine code on disk; the least recently used goes

// ---- observability ----------------------------------------------------------------------------------------------
inline constexpr std::size_t kSpansKept = 4096;

}  // namespace hotswap::limits
