#include <stdlib.h>
#include <string.h>

#include "counting.h"

#define TYPE(type) exports_demo_counter_counter_##type##_t

enum { CAPACITY = 1024 };

static TYPE(tuple2_key_s64) counts[CAPACITY];
static size_t used;

static bool same(const counting_string_t *a, const counting_string_t *b) {
  return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
}

static TYPE(key) copy(const TYPE(key) *key) {
  TYPE(key) made;
  counting_string_dup_n(&made.namespace_, (const char *)key->namespace_.ptr, key->namespace_.len);
  counting_string_dup_n(&made.name, (const char *)key->name.ptr, key->name.len);
  return made;
}

static TYPE(tuple2_key_s64) *find(const TYPE(key) *key) {
  for (size_t i = 0; i < used; i++) {
    if (same(&counts[i].f0.namespace_, &key->namespace_) && same(&counts[i].f0.name, &key->name)) return &counts[i];
  }
  return NULL;
}

static bool add(const TYPE(key) *key, int64_t by, int64_t *ret, TYPE(refusal) *refusal) {
  if (key->name.len == 0) {
    refusal->tag = EXPORTS_DEMO_COUNTER_COUNTER_REFUSAL_EMPTY_NAME;
    return false;
  }
  TYPE(tuple2_key_s64) *entry = find(key);
  if (entry == NULL) {
    if (used == CAPACITY) __builtin_trap();
    entry = &counts[used++];
    entry->f0 = copy(key);
  }
  if (__builtin_add_overflow(entry->f1, by, ret)) {
    refusal->tag = EXPORTS_DEMO_COUNTER_COUNTER_REFUSAL_OVERFLOW;
    refusal->val.overflow = entry->f1;
    return false;
  }
  entry->f1 = *ret;
  return true;
}

bool exports_demo_counter_counter_increment(TYPE(key) *key, int64_t by, int64_t *ret, TYPE(refusal) *refusal) {
  return add(key, by, ret, refusal);
}

bool exports_demo_counter_counter_get(TYPE(key) *key, int64_t *ret) {
  const TYPE(tuple2_key_s64) *entry = find(key);
  if (entry != NULL) *ret = entry->f1;
  return entry != NULL;
}

bool exports_demo_counter_counter_tally(TYPE(list_key) *keys, TYPE(list_tuple2_key_s64) *ret, TYPE(refusal) *refusal) {
  for (size_t i = 0; i < keys->len; i++) {
    int64_t count;
    if (!add(&keys->ptr[i], 1, &count, refusal)) return false;
  }
  ret->len = used;
  ret->ptr = calloc(used + 1, sizeof *ret->ptr);
  for (size_t i = 0; i < used; i++) {
    ret->ptr[i].f0 = copy(&counts[i].f0);
    ret->ptr[i].f1 = counts[i].f1;
  }
  return true;
}
