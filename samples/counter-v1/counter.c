#include <stdlib.h>
#include <string.h>

#include "counting.h"

enum { CAPACITY = 1024 };

static counting_tuple2_string_u32_t counts[CAPACITY];
static size_t used;

static counting_tuple2_string_u32_t *find(const counting_string_t *key) {
  for (size_t i = 0; i < used; i++) {
    if (counts[i].f0.len == key->len && memcmp(counts[i].f0.ptr, key->ptr, key->len) == 0) return &counts[i];
  }
  return NULL;
}

static uint32_t add(const counting_string_t *key, uint32_t by) {
  counting_tuple2_string_u32_t *entry = find(key);
  if (entry == NULL) {
    if (used == CAPACITY) __builtin_trap();
    entry = &counts[used++];
    counting_string_dup_n(&entry->f0, (const char *)key->ptr, key->len);
  }
  return entry->f1 += by;
}

uint32_t exports_demo_counter_counter_increment(counting_string_t *key, uint32_t by) { return add(key, by); }

bool exports_demo_counter_counter_get(counting_string_t *key, uint32_t *ret) {
  const counting_tuple2_string_u32_t *entry = find(key);
  if (entry != NULL) *ret = entry->f1;
  return entry != NULL;
}

void exports_demo_counter_counter_tally(counting_list_string_t *keys, counting_list_tuple2_string_u32_t *ret) {
  for (size_t i = 0; i < keys->len; i++) add(&keys->ptr[i], 1);
  ret->len = used;
  ret->ptr = calloc(used + 1, sizeof *ret->ptr);
  for (size_t i = 0; i < used; i++) {
    counting_string_dup_n(&ret->ptr[i].f0, (const char *)counts[i].f0.ptr, counts[i].f0.len);
    ret->ptr[i].f1 = counts[i].f1;
  }
}
