package devforge

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

func TestSanitizeKeepsMarkdownAndShowsTheRest(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"text", "a > b &amp; c", "a &gt; b &amp; c"},
		{"allowed tags", "<p><strong>x</strong><br /></p>", "<p><strong>x</strong><br></p>"},
		{"a fold that starts open", `<details open><summary>app</summary></details>`, `<details open=""><summary>app</summary></details>`},
		{"a script becomes text", `<script>alert(1)</script>`, `&lt;script&gt;alert(1)&lt;/script&gt;`},
		{"an event handler goes", `<p onclick="x()">a</p>`, `<p>a</p>`},
		{"a style goes", `<p style="position:fixed">a</p>`, `<p>a</p>`},
		{"a comment goes", "a<!-- <script> -->b", "ab"},
		{"a comment without end is text", "a<!-- b", "a&lt;!-- b"},
		{"an unclosed tag is closed", "<details><summary>x", "<details><summary>x</summary></details>"},
		{"a stray end goes", "</details></div>x", "&lt;/div&gt;x"},
		{"crossed tags are put in order", "<em><strong>x</em></strong>", "<em><strong>x</strong></em>"},
		{"a web link stays", `<a href="https://x.example/?a=1&amp;b=2" target=_top>x</a>`, `<a href="https://x.example/?a=1&amp;b=2" rel="nofollow noopener noreferrer">x</a>`},
		{"a script link goes", `<a href="java&#115;cript:alert(1)">x</a>`, `<a rel="nofollow noopener noreferrer">x</a>`},
		{"a script link with a tab goes", "<a href=\"java\tscript:alert(1)\">x</a>", `<a rel="nofollow noopener noreferrer">x</a>`},
		{"a data link goes", `<a href="data:text/html,x">x</a>`, `<a rel="nofollow noopener noreferrer">x</a>`},
		{"another host without a scheme goes", `<a href="//evil.example">x</a>`, `<a rel="nofollow noopener noreferrer">x</a>`},
		{"an image is its words", `<img src=x onerror=alert(1) alt="a&lt;b">`, `[a&lt;b]`},
		{"a form is text", `<form action=x><input name=a><button>`, `&lt;form action=x&gt;&lt;button&gt;`},
		{"a task box is disabled", `<input checked="" disabled="" type="checkbox">`, `<input checked="" type="checkbox" disabled="">`},
		{"a broken attribute makes it text", `<a href="x>y`, `&lt;a href="x&gt;y`},
		{"an unknown class goes", `<span class="badge">x</span>`, `<span>x</span>`},
		{"the alignment of a cell stays", `<td align="right">1</td>`, `<td align="right">1</td>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sanitize(tt.in); got != tt.want {
				t.Errorf("sanitize(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestMarkdownOfAMergeRequest(t *testing.T) {
	m := newMarkdown()
	for _, tt := range []struct{ name, in, want string }{
		{"a table", "| gate | verdict |\n| --- | :-: |\n| renders | **ok** |\n", `<td align="center"><strong>ok</strong></td>`},
		{
			"a fold around a diff", "<details><summary>web (dev): +1 -1</summary>\n\n```diff\n@@ -1 +1 @@\n-a\n+b <x>\n c\n```\n\n</details>\n",
			"<details><summary>web (dev): +1 -1</summary>\n<pre class=\"diff\"><code><span class=\"hunk\">@@ -1 +1 @@</span>\n<span class=\"del\">-a</span>\n<span class=\"add\">+b &lt;x&gt;</span>\n<span class=\"same\"> c</span>\n</code></pre>\n</details>",
		},
		{"another fence", "```yaml\na: <b>\n```\n", "<pre><code>a: &lt;b&gt;\n</code></pre>"},
		{"a marker is not seen", "<!-- lockkeeper:gates -->\n\n# Gates\n", "<h1>Gates</h1>\n"},
		{"a task list", "- [x] done\n", `<li><input checked="" type="checkbox" disabled=""> done</li>`},
		{"a bare link", "see https://x.example/1", `<a href="https://x.example/1" rel="nofollow noopener noreferrer">https://x.example/1</a>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(m.render(tt.in)); !strings.Contains(got, tt.want) {
				t.Errorf("render(%q)\n got %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

var (
	anyTag      = regexp.MustCompile(`<(/?)([a-z0-9]+)((?: [a-z]+="[^"<>]*")*)>`)
	anyName     = regexp.MustCompile(` ([a-z]+)="([^"]*)"`)
	knownNames  = regexp.MustCompile(`^(start|class|href|title|align|open|checked|type|disabled|rel)$`)
	knownScheme = regexp.MustCompile(`^(?:https?://|mailto:|[^:]*(?:[/?#]|$))`)
)

// checkSafe parses the output with another grammar than the sanitizer's own: every angle bracket belongs to a known tag, tags
// are balanced, attributes known and links harmless.
func checkSafe(t *testing.T, out string) {
	t.Helper()
	if rest := anyTag.ReplaceAllString(out, ""); strings.ContainsAny(rest, "<>") {
		t.Fatalf("a bracket outside of a tag in %q", out)
	}
	var stack []string
	for _, tag := range anyTag.FindAllStringSubmatch(out, -1) {
		rule, known := allowedTags[tag[2]]
		switch {
		case !known:
			t.Fatalf("tag %q in %q", tag[0], out)
		case tag[1] != "":
			if len(stack) == 0 || stack[len(stack)-1] != tag[2] {
				t.Fatalf("%q closes nothing in %q", tag[0], out)
			}
			stack = stack[:len(stack)-1]
		case !rule.void:
			stack = append(stack, tag[2])
		}
		for _, attribute := range anyName.FindAllStringSubmatch(tag[3], -1) {
			if !knownNames.MatchString(attribute[1]) {
				t.Fatalf("attribute %q in %q", attribute[0], out)
			}
			if address := html.UnescapeString(attribute[2]); attribute[1] == "href" && !knownScheme.MatchString(address) {
				t.Fatalf("link %q in %q", attribute[0], out)
			}
		}
	}
	if len(stack) > 0 {
		t.Fatalf("%q stay open in %q", stack, out)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"# a\n\n| x | y |\n|---|--:|\n| 1 | <b> |\n", "<details><summary>x</summary>\n\n```diff\n+a\n```\n</details>",
		"<script>alert(1)</script>", `<a href="javascript:x">y</a>`, "[x](javascript:alert(1))", "![a](x \"t\")",
		"<p onclick=x>", "<!-- a -- b -->", "<!-->x", "<details><blockquote></details>", "- <details>\n\n</li></details>",
		"<a href='x\"y'>", "<svg/onload=alert(1)>", "<math><style><img src onerror=x>", "a\x00<\x00script>", "<A HREF=//x>", "<br/ x=1>",
	} {
		f.Add(seed)
	}
	m := newMarkdown()
	f.Fuzz(func(t *testing.T, in string) {
		checkSafe(t, string(m.render(in)))
		checkSafe(t, sanitize(in))
	})
}
