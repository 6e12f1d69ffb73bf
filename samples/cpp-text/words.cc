// Counts words of standard input and prints the most frequent ones: libc++ with iostream and containers.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <string>
#include <vector>

int main(int argc, char **argv) {
  const std::size_t wanted = argc > 1 ? std::stoul(argv[1]) : 10;

  std::map<std::string, std::size_t> counts;
  std::size_t total = 0;
  for (std::string word; std::cin >> word; ++total) {
    std::erase_if(word, [](unsigned char c) { return std::ispunct(c) != 0; });
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!word.empty()) ++counts[word];
  }

  std::vector<std::pair<std::string, std::size_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, std::ranges::greater{}, [](const auto &entry) { return entry.second; });
  if (ranked.size() > wanted) ranked.resize(wanted);

  std::cout << total << " words, " << counts.size() << " distinct\n";
  for (const auto &[word, count] : ranked) std::cout << count << '\t' << word << '\n';
}
