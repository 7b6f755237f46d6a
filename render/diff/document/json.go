package document

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

func readJSON(text string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, ok := jsonValue(d, &budget{}, 0)
	if !ok {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return v, composite(v)
}

func jsonValue(d *json.Decoder, b *budget, depth int) (any, bool) {
	token, err := d.Token()
	if err != nil || !b.take(depth) {
		return nil, false
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return jsonMap(d, b, depth)
		}
		return jsonList(d, b, depth)
	case json.Number:
		return exact(t.String()), true
	default:
		return t, true
	}
}

func jsonMap(d *json.Decoder, b *budget, depth int) (any, bool) {
	out := map[string]any{}
	for d.More() {
		token, err := d.Token()
		key, isText := token.(string)
		if _, twice := out[key]; err != nil || !isText || twice {
			return nil, false
		}
		v, ok := jsonValue(d, b, depth+1)
		if !ok {
			return nil, false
		}
		out[key] = v
	}
	_, err := d.Token()
	return out, err == nil
}

func jsonList(d *json.Decoder, b *budget, depth int) (any, bool) {
	out := []any{}
	for d.More() {
		v, ok := jsonValue(d, b, depth+1)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err == nil
}
