package openai

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"weir/cmd/weir/internal/dialect"
)

// decodeError returns, in the dialect's words, why encoding/json refused a
// body.
func decodeError(err error) *dialect.Fault {
	var ours *dialect.Fault
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &ours): // from one of this package's UnmarshalJSON
		return ours
	case errors.As(err, &wrong) && wrong.Field == "":
		return dialect.Invalid("", "invalid_type", "The body of your request must be a JSON object, but it is %s.", withArticle(wrong.Value))
	case errors.As(err, &wrong):
		return invalidType(wrong.Field, goKind(wrong.Type.Kind()), withArticle(wrong.Value))
	}
	return dialect.Invalid("", "", "We could not parse the JSON body of your request: %v.", err)
}

func invalidType(param, want, got string) *dialect.Fault {
	return dialect.Invalid(param, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.", param, want, got)
}

// kind names the type of a JSON value.
func kind(data []byte) string {
	switch data[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// goKind names the JSON type that a Go type takes.
func goKind(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// withArticle completes encoding/json's name of a value: bool, array, number
// 1.5 and the like.
func withArticle(value string) string {
	switch {
	case value == "bool":
		return "a boolean"
	case strings.HasPrefix(value, "number "):
		return "the " + value
	case value == "array", value == "object":
		return "an " + value
	}
	return "a " + value
}
