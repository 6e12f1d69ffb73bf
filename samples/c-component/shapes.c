// Every WIT type once, in and out, and a function that does something with them.
#include "shapes.h"

#define NAME(function) exports_demo_shapes_geometry_##function
#define TYPE(type) exports_demo_shapes_geometry_##type##_t

// Arguments belong to the function that is called and results to the caller: an echo hands them on.
#define ECHO(function, type) \
  type NAME(function)(type value) { return value; }
#define ECHO_BY_POINTER(function, type) \
  void NAME(function)(type *value, type *ret) { *ret = *value; }

ECHO(echo_bool, bool)
ECHO(echo_u8, uint8_t)
ECHO(echo_s8, int8_t)
ECHO(echo_u16, uint16_t)
ECHO(echo_s16, int16_t)
ECHO(echo_u32, uint32_t)
ECHO(echo_s32, int32_t)
ECHO(echo_u64, uint64_t)
ECHO(echo_s64, int64_t)
ECHO(echo_f32, float)
ECHO(echo_f64, double)
ECHO(echo_char, uint32_t)
ECHO(echo_enum, TYPE(color))
ECHO(echo_flags, TYPE(style))
ECHO_BY_POINTER(echo_string, shapes_string_t)
ECHO_BY_POINTER(echo_record, TYPE(drawing))
ECHO_BY_POINTER(echo_variant, TYPE(shape))
ECHO_BY_POINTER(echo_tuple, shapes_tuple3_u8_string_bool_t)
ECHO_BY_POINTER(echo_list, shapes_list_string_t)
ECHO_BY_POINTER(echo_bytes, shapes_list_u8_t)
ECHO_BY_POINTER(echo_nested, TYPE(list_tuple2_string_option_list_point))

// An option is a pointer or null, and "some" is answered with true; a result answers "ok" with true.
bool NAME(echo_option)(uint32_t *maybe, uint32_t *ret) {
  if (maybe == NULL) return false;
  *ret = *maybe;
  return true;
}

bool NAME(echo_option_option)(shapes_option_string_t *maybe, shapes_option_string_t *ret) {
  if (maybe == NULL) return false;
  *ret = *maybe;
  return true;
}

bool NAME(echo_result)(TYPE(result_u32_string) *value, uint32_t *ret, shapes_string_t *error) {
  if (value->is_err) {
    *error = value->val.err;
    return false;
  }
  *ret = value->val.ok;
  return true;
}

bool NAME(echo_result_empty)(TYPE(result_void_void) *value) { return !value->is_err; }

bool NAME(echo_result_ok)(TYPE(result_string_void) *value, shapes_string_t *ret) {
  if (value->is_err) return false;
  *ret = value->val.ok;
  return true;
}

bool NAME(echo_result_err)(TYPE(result_void_string) *value, shapes_string_t *error) {
  if (!value->is_err) return true;
  *error = value->val.err;
  return false;
}

void NAME(discard)(shapes_string_t *first, TYPE(drawing) *second) {
  shapes_string_free(first);
  exports_demo_shapes_geometry_drawing_free(second);
}

static TYPE(list_point) copy_points(const TYPE(point) *points, size_t count) {
  // The caller of the component frees a result with the component's own allocator.
  extern void *malloc(size_t);
  TYPE(list_point) copy = {malloc(count * sizeof *points), count};
  if (copy.ptr == NULL) __builtin_trap();
  for (size_t i = 0; i < count; i++) copy.ptr[i] = points[i];
  return copy;
}

void NAME(unit_square)(TYPE(shape) *ret) {
  static const TYPE(point) corners[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  ret->tag = EXPORTS_DEMO_SHAPES_GEOMETRY_SHAPE_POLYGON;
  ret->val.polygon = copy_points(corners, 4);
}

static double polygon_area(const TYPE(list_point) *points) {
  double twice = 0;
  for (size_t i = 0; i < points->len; i++) {
    const TYPE(point) a = points->ptr[i], b = points->ptr[(i + 1) % points->len];
    twice += a.x * b.y - b.x * a.y;
  }
  return twice < 0 ? -twice / 2 : twice / 2;
}

bool NAME(area)(TYPE(shape) *shape, double *ret, TYPE(area_error) *error) {
  switch (shape->tag) {
    case EXPORTS_DEMO_SHAPES_GEOMETRY_SHAPE_CIRCLE:
      *ret = 3.141592653589793 * shape->val.circle.radius * shape->val.circle.radius;
      return true;
    case EXPORTS_DEMO_SHAPES_GEOMETRY_SHAPE_POLYGON:
      if (shape->val.polygon.len < 3) {
        error->tag = EXPORTS_DEMO_SHAPES_GEOMETRY_AREA_ERROR_TOO_FEW_POINTS;
        error->val.too_few_points = (uint32_t)shape->val.polygon.len;
        return false;
      }
      *ret = polygon_area(&shape->val.polygon);
      return true;
    default:
      error->tag = EXPORTS_DEMO_SHAPES_GEOMETRY_AREA_ERROR_NOT_A_SHAPE;
      return false;
  }
}

void NAME(fail)(void) { __builtin_trap(); }

uint32_t exports_shapes_count_points(shapes_list_drawing_summary_t *drawings) {
  uint32_t total = 0;
  for (size_t i = 0; i < drawings->len; i++) total += drawings->ptr[i].points;
  return total;
}
