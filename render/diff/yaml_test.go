package diff

import (
	"encoding/json"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

// FuzzYAML checks that what people read as YAML is YAML, and says what the value says.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		`{"a":["1.0","1.0.2","10.0.0.1","true","y","- x","-v","--","---","a: b","a #b","#","","~","0x1f","1e3","1_000","2026-01-01",".5","12:30","=","<<"]}`,
		`[[],[[1,[2]]],{},[{}],[{"b":[],"a":{"c":null}}],1.5,true]`,
		`{"a":"one\ntwo","b":"one\n","c":"one\n\n","d":"\none","e":" one\ntwo","f":"a\n b\n\n c","g":"a\r\nb","h":"a\tb\n","i":"\n"}`,
		`{"":"x","a b":1,"a:b":1,"- ":{"?":["!x","*x","&x","%x","@x","|","> x","'x'","\"x\""]},"kind":"k","apiVersion":"v"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want, got any
		if json.Unmarshal([]byte(raw), &want) != nil {
			return
		}
		text := yamlText(want)
		if !isComposite(want) || isEmpty(want) {
			return
		}
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%#v became %#v:\n%s", want, got, text)
		}
	})
}
