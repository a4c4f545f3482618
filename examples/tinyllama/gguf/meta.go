package gguf

import (
	"errors"
	"fmt"
)

// ErrNoKey is returned for metadata that the file does not have.
var ErrNoKey = errors.New("no such key")

// Int returns an integer of any width.
func (f *File) Int(key string) (int, error) { return one(f, key, "an integer", value.integer) }

// Float returns a floating-point number.
func (f *File) Float(key string) (float64, error) {
	return one(f, key, "a floating-point number", value.float)
}

// Text returns a string.
func (f *File) Text(key string) (string, error) { return one(f, key, "a string", value.text) }

// Bool returns a boolean.
func (f *File) Bool(key string) (bool, error) { return one(f, key, "a boolean", value.boolean) }

// Ints returns an array of integers.
func (f *File) Ints(key string) ([]int, error) { return many(f, key, "integers", value.integer) }

// Floats returns an array of floating-point numbers.
func (f *File) Floats(key string) ([]float64, error) {
	return many(f, key, "floating-point numbers", value.float)
}

// Texts returns an array of strings.
func (f *File) Texts(key string) ([]string, error) { return many(f, key, "strings", value.text) }

func one[T any](f *File, key, want string, element func(value, int) (T, bool)) (T, error) {
	v, found := f.pairs[key]
	if !found {
		return *new(T), fmt.Errorf("gguf: %s: %w", key, ErrNoKey)
	}
	if !v.array {
		if x, ok := element(v, 0); ok {
			return x, nil
		}
	}
	return *new(T), fmt.Errorf("gguf: %s is not %s", key, want)
}

func many[T any](f *File, key, want string, element func(value, int) (T, bool)) ([]T, error) {
	v, found := f.pairs[key]
	if !found {
		return nil, fmt.Errorf("gguf: %s: %w", key, ErrNoKey)
	}
	if !v.array {
		return nil, fmt.Errorf("gguf: %s is not an array", key)
	}
	all := make([]T, v.length())
	for i := range all {
		x, ok := element(v, i)
		if !ok {
			return nil, fmt.Errorf("gguf: %s is not an array of %s", key, want)
		}
		all[i] = x
	}
	return all, nil
}
