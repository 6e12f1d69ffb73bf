#include "blobs/brotli.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

#include <new>

#include "base/limits.h"

namespace hotswap {
namespace {

// 5 is where Brotli's ratio begins to beat gzip's best while it still takes more than 30 MB a second.
constexpr std::uint32_t kQuality = 5;
constexpr std::uint32_t kWindowBits = 22;
constexpr std::size_t kOutputPiece = 64 * limits::kKiB;

const std::uint8_t* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());  // Brotli's spelling of a byte
}

}  // namespace

BrotliCompressor::BrotliCompressor()
    : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr), &BrotliEncoderDestroyInstance) {
  if (!state_) throw std::bad_alloc();
  BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_QUALITY, kQuality);
  BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_LGWIN, kWindowBits);
}

Result<> BrotliCompressor::run(int operation, std::span<const std::byte> bytes, const ByteSink& sink) {
  std::size_t available = bytes.size();
  const std::uint8_t* next = raw(bytes);
  do {
    std::size_t no_buffer = 0;  // output is taken from the encoder's own buffer
    if (BrotliEncoderCompressStream(state_.get(), static_cast<BrotliEncoderOperation>(operation), &available, &next,
                                    &no_buffer, nullptr, nullptr) != BROTLI_TRUE) {
      return fail(ErrorKind::kInternal, "the Brotli encoder failed");
    }
    std::size_t size = 0;
    while (const std::uint8_t* piece = BrotliEncoderTakeOutput(state_.get(), &size)) {
      if (size == 0) break;
      HS_CHECK(sink(std::as_bytes(std::span(piece, size))));
      size = 0;
    }
  } while (available > 0 || BrotliEncoderHasMoreOutput(state_.get()) == BROTLI_TRUE);
  return {};
}

Result<> BrotliCompressor::write(std::span<const std::byte> bytes, const ByteSink& sink) {
  return run(BROTLI_OPERATION_PROCESS, bytes, sink);
}

Result<> BrotliCompressor::finish(const ByteSink& sink) {
  do {
    HS_CHECK(run(BROTLI_OPERATION_FINISH, {}, sink));
  } while (BrotliEncoderIsFinished(state_.get()) != BROTLI_TRUE);
  return {};
}

BrotliDecompressor::BrotliDecompressor()
    : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance),
      output_(kOutputPiece) {
  if (!state_) throw std::bad_alloc();
}

Result<bool> BrotliDecompressor::write(std::span<const std::byte> bytes, const ByteSink& sink) {
  std::size_t available = bytes.size();
  const std::uint8_t* next = raw(bytes);
  if (available > 0 && finished()) return false;
  while (true) {
    std::size_t room = output_.size();
    auto* out = reinterpret_cast<std::uint8_t*>(output_.data());
    const auto result = BrotliDecoderDecompressStream(state_.get(), &available, &next, &room, &out, nullptr);
    if (result == BROTLI_DECODER_RESULT_ERROR) return false;
    if (const std::size_t size = output_.size() - room; size > 0) {
      HS_CHECK(sink(std::span(output_).first(size)));
    }
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return true;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return available == 0;
  }
}

bool BrotliDecompressor::finished() const { return BrotliDecoderIsFinished(state_.get()) == BROTLI_TRUE; }

}  // namespace hotswap
