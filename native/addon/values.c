#include "addon.h"

#include <stdio.h>

bool get_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
    return napi_get_cb_info(env, info, &count, values, NULL, NULL) == napi_ok;
}

static bool wrong_type(napi_env env, const char *expected) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", expected);
    return false;
}

bool get_int(napi_env env, napi_value value, int *out) {
    int64_t wide;
    if (!get_int64(env, value, &wide)) return false;
    if (wide < INT32_MIN || wide > UINT32_MAX) return wrong_type(env, "Expected a 32 bit integer");
    *out = (int)wide;
    return true;
}

bool get_int64(napi_env env, napi_value value, int64_t *out) {
    return napi_get_value_int64(env, value, out) == napi_ok || wrong_type(env, "Expected an integer");
}

bool get_bool(napi_env env, napi_value value, bool *out) {
    if (is_absent(env, value)) {
        *out = false;
        return true;
    }
    return napi_get_value_bool(env, value, out) == napi_ok || wrong_type(env, "Expected a boolean");
}

bool get_string(napi_env env, napi_value value, char **out) {
    size_t length;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
        return wrong_type(env, "Expected a string");
    char *text = malloc(length + 1);
    if (!text) return wrong_type(env, "Out of memory");
    napi_get_value_string_utf8(env, value, text, length + 1, &length);
    if (strlen(text) != length) {
        free(text);
        return wrong_type(env, "Expected a string without NUL");
    }
    *out = text;
    return true;
}

bool is_absent(napi_env env, napi_value value) {
    napi_valuetype type;
    return !value || napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

napi_value get_member(napi_env env, napi_value object, const char *name) {
    napi_value value = NULL;
    if (is_absent(env, object) || napi_get_named_property(env, object, name, &value) != napi_ok)
        return make_undefined(env);
    return value;
}

napi_value make_int(napi_env env, int value) {
    napi_value result = NULL;
    napi_create_int32(env, value, &result);
    return result;
}

napi_value make_number(napi_env env, double value) {
    napi_value result = NULL;
    napi_create_double(env, value, &result);
    return result;
}

napi_value make_string(napi_env env, const char *text) {
    napi_value result = NULL;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
    return result;
}

napi_value make_undefined(napi_env env) {
    napi_value result = NULL;
    napi_get_undefined(env, &result);
    return result;
}

void set_member(napi_env env, napi_value object, const char *name, napi_value value) {
    napi_set_named_property(env, object, name, value);
}

void set_number(napi_env env, napi_value object, const char *name, double value) {
    set_member(env, object, name, make_number(env, value));
}

void set_string(napi_env env, napi_value object, const char *name, const char *text) {
    set_member(env, object, name, make_string(env, text));
}

napi_value make_pair(napi_env env, int first, int second) {
    napi_value pair = NULL;
    napi_create_array_with_length(env, 2, &pair);
    napi_set_element(env, pair, 0, make_int(env, first));
    napi_set_element(env, pair, 1, make_int(env, second));
    return pair;
}

napi_value make_error(napi_env env, int error, const char *call) {
    const char *name = strerrorname_np(error);
    char message[256];
    snprintf(message, sizeof message, "%s: %s, %s", name ? name : "EUNKNOWN", strerrordesc_np(error), call);
    napi_value result = NULL;
    napi_create_error(env, make_string(env, name ? name : "EUNKNOWN"), make_string(env, message), &result);
    set_number(env, result, "errno", -error);
    set_string(env, result, "syscall", call);
    return result;
}

napi_value throw_error(napi_env env, int error, const char *call) {
    napi_throw(env, make_error(env, error, call));
    return NULL;
}

void call_listener(napi_env env, napi_value listener, size_t count, const napi_value *arguments) {
    napi_value exception;
    if (napi_call_function(env, make_undefined(env), listener, count, arguments, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &exception) == napi_ok)
        napi_fatal_exception(env, exception);
}
