// Brotli as streams with owners.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

struct BrotliEncoderStateStruct;
struct BrotliDecoderStateStruct;

namespace hotswap {

using ByteSink = std::function<Result<>(std::span<const std::byte>)>;

// Not thread-safe. Memory is bounded whatever the length of the content.
class BrotliCompressor {
 public:
  BrotliCompressor();
  // Compressed bytes go to `sink` as they come out.
  [[nodiscard]] Result<> write(std::span<const std::byte> bytes, const ByteSink& sink);
  // The rest; the stream is complete afterwards.
  [[nodiscard]] Result<> finish(const ByteSink& sink);

 private:
  Result<> run(int operation, std::span<const std::byte> bytes, const ByteSink& sink);

  std::unique_ptr<BrotliEncoderStateStruct, void (*)(BrotliEncoderStateStruct*)> state_;
};

class BrotliDecompressor {
 public:
  BrotliDecompressor();
  // False where the bytes are not Brotli (or go on after its end).
  [[nodiscard]] Result<bool> write(std::span<const std::byte> bytes, const ByteSink& sink);
  // Whether the stream came to its end.
  [[nodiscard]] bool finished() const;

 private:
  std::unique_ptr<BrotliDecoderStateStruct, void (*)(BrotliDecoderStateStruct*)> state_;
  std::vector<std::byte> output_;
};

}  // namespace hotswap
