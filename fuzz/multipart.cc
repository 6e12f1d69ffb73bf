// A multipart body (after one byte that says how it is cut), boundary "b".
#include "net/multipart.h"

#include <string>

#include "fuzz/pieces.h"

namespace hotswap {
namespace {

// Everything that a reader of the body learns, as text.
class Transcript {
 public:
  explicit Transcript(net::MultipartParser parser) : parser_(std::move(parser)) {}

  // False once nothing more is to be pushed.
  bool push(std::string_view bytes) {
    parser_.push(bytes);
    for (;;) {
      const auto event = parser_.next();
      if (!event) {
        text_ += "\nerror";
        return false;
      }
      if (std::holds_alternative<net::NeedMore>(*event)) return true;
      if (const auto* begin = std::get_if<net::PartBegin>(&*event)) {
        text_ += "\npart " + begin->name + "|" + begin->filename.value_or("-") + "|" + begin->content_type + "|";
      } else if (const auto* bytes_of_part = std::get_if<net::PartBytes>(&*event)) {
        text_ += bytes_of_part->bytes;
      } else if (std::holds_alternative<net::PartEnd>(*event)) {
        text_ += "\nend";
      } else {
        text_ += "\nover";
        return false;
      }
    }
  }
  std::string finish() { return text_ + (parser_.finish() ? "\nwhole" : "\ncut"); }

 private:
  net::MultipartParser parser_;
  std::string text_;
};

Transcript reader() { return Transcript(*net::MultipartParser::create("multipart/form-data; boundary=b")); }

}  // namespace
}  // namespace hotswap

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotswap;
  if (size == 0) return 0;
  const auto body = fuzz::text_of(data + 1, size - 1);
  auto whole = reader();
  whole.push(body);
  auto cut = reader();
  for (fuzz::Pieces pieces(body, data[0]); !pieces.empty() && cut.push(pieces.next());) {
  }
  fuzz::require(whole.finish() == cut.finish(), "the parts do not depend on how the body arrives");
  return 0;
}
