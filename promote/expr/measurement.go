package expr

import (
	"fmt"
	"math"
	"strconv"
)

// RunMeasurement evaluates a condition of an analysis on `result`, what was measured. It sees, besides the functions that Run
// sees, those of Argo Rollouts: isNaN, isInf, isNil, asInt, asFloat and default.
func RunMeasurement(expression string, result any) (any, error) {
	e := rawEvaluation(map[string]any{"result": result})
	e.shallow = true
	e.define(append(utilities(), measurementFunctions()...))
	return e.raw(expression)
}

func measurementFunctions() []function {
	return []function{
		{"isNaN", func(args ...any) (any, error) {
			f, ok := number(args[0])
			return ok && math.IsNaN(f), nil
		}, []any{new(func(any) bool)}},
		{"isInf", func(args ...any) (any, error) {
			f, ok := number(args[0])
			return ok && math.IsInf(f, 0), nil
		}, []any{new(func(any) bool)}},
		{"isNil", func(args ...any) (any, error) { return isNil(args[0]), nil }, []any{new(func(any) bool)}},
		{"asInt", asInt, []any{new(func(any) int)}},
		{"asFloat", asFloat, []any{new(func(any) float64)}},
		{"default", func(args ...any) (any, error) {
			if f, ok := number(args[0]); isNil(args[0]) || ok && math.IsNaN(f) {
				return args[1], nil
			}
			return args[0], nil
		}, []any{new(func(any, any) any)}},
	}
}

// number gives a value that is a number already.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

func asFloat(args ...any) (any, error) {
	if f, ok := number(args[0]); ok {
		return f, nil
	}
	if text, ok := args[0].(string); ok {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("asFloat: %s is not a number", describe(args[0]))
}

func asInt(args ...any) (any, error) {
	f, err := asFloat(args...)
	if err != nil {
		return nil, fmt.Errorf("asInt: %s is not a number", describe(args[0]))
	}
	number, _ := f.(float64)
	if math.IsNaN(number) || math.Abs(number) > 1<<53 {
		return nil, fmt.Errorf("asInt: %v is no whole number that can be held", number)
	}
	return int(number), nil
}
