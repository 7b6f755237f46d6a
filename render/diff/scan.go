package diff

import (
	"regexp"
	"slices"
	"strings"
)

// span is a part of a text, in bytes.
type span struct{ from, to int }

// stems are what a text must contain, in lower case, to be worth a closer look.
var stems = []string{
	"pass", "token", "secret", "key", "credential", "dsn", "://", "-----begin", "ls0tls1crudjti", "bearer", "basic ",
	"eyj", "gh", "glpat-", "xox", "akia", "asia", "aiza", "sk_live_", "sk-", "npm_", "hf_", "dckr_", "sg.", "ya29.", "@",
}

// shortestToken is the length of the shortest text that has a secret and none of the signs of a URL or an assignment.
const shortestToken = 13

// tokenForms are secrets that give themselves away; the last group is what is hidden.
var tokenForms = []*regexp.Regexp{
	regexp.MustCompile(`(?s)(-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$))`),
	regexp.MustCompile(`(LS0tLS1CRUdJTi[A-Za-z0-9+/=]*)`),
	regexp.MustCompile(`(?i)\bbearer[ \t]+([A-Za-z0-9._~+/=-]{8,})`),
	regexp.MustCompile(`(?i)\bauthorization["']?[ \t]*[:=][ \t]*["']?basic[ \t]+([A-Za-z0-9+/=_-]+)`),
	regexp.MustCompile(`(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)`),
	regexp.MustCompile(`\b(gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{12,}|xox[abeprs]-[A-Za-z0-9-]{8,})`),
	regexp.MustCompile(`\b((?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})`),
	regexp.MustCompile(`\b(sk_live_[A-Za-z0-9]{12,}|sk-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|dckr_pat_[A-Za-z0-9_-]{12,})`),
	regexp.MustCompile(`([^\s:@/"']+:[^\s/"']+)@(?:tcp|udp|unix)\(`),
}

// assignment is how a text gives a value to a name, which is the first group of name and stands right before the value. They are
// apart because only the values of secrets are read: a text of names without end would be read again for each of them.
type assignment struct{ name, value *regexp.Regexp }

// assignments: the first form takes a YAML block or the rest of the line and is for texts of several lines, the second takes one
// word or quoted text.
var assignments = [...]assignment{
	{
		regexp.MustCompile(`(?m)^[ \t-]*(?:export[ \t]+)?["']?([\w.-]+)["']?[ \t]*[:=][ \t]*`),
		regexp.MustCompile(`(?m)\A(?:[|>][-+0-9]*[ \t]*(?:\n(?:[ \t]+[^\n]*|[ \t]*$))+|[^\s][^\n]*)`),
	},
	{
		regexp.MustCompile(`([\w.-]+)\\?["']?[ \t]*[:=][ \t]*`),
		regexp.MustCompile(`\A(?:\\"(?:[^"\\\n]|\\[^"\n])*\\?"?|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|[^\s"',;&}\])]+)`),
	},
}

// address finds what follows the scheme of a URL.
var address = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://([^\s"'<>]+)`)

// secretsIn returns the parts of text that must not be shown, in order, without overlaps.
func secretsIn(text string) []span {
	if len(text) < shortestToken && !strings.ContainsAny(text, ":=@") {
		return nil
	}
	lower := strings.ToLower(text)
	if !slices.ContainsFunc(stems, func(stem string) bool { return strings.Contains(lower, stem) }) {
		return nil
	}
	found := complained(evident(text), text)
	if isSecretName(lower) {
		found = nested(assigned(found, text), text)
	}
	return merge(found)
}

// evident returns what gives itself away as a secret, whatever stands before it: tokens, and credentials in URLs.
func evident(text string) []span {
	var found []span
	for _, form := range tokenForms {
		for _, at := range form.FindAllStringSubmatchIndex(text, -1) {
			found = append(found, span{at[2], at[3]})
		}
	}
	for _, at := range address.FindAllStringSubmatchIndex(text, -1) {
		if n := userInfo(text[at[2]:at[3]]); n > 0 {
			found = append(found, span{at[2], at[2] + n})
		}
	}
	return found
}

// inSentence returns the secrets in a sentence about a file: those that are evident, were refused, or stand in quotes behind their name.
// Other words behind the name of a secret are what the sentence says about it.
func inSentence(text string) []span {
	found := complained(evident(text), text)
	for _, at := range assigned(nil, text) {
		if text[at.from] == '"' {
			found = append(found, at)
		}
	}
	return merge(found)
}

// complaint is how the API server refuses a value (apimachinery: field.Error): the name of the field, what is wrong, and for some
// wrongs the value.
var (
	complaint = regexp.MustCompile(`([\w.-]+)["'\])]*: (?:(?:Invalid|Unsupported|Duplicate) value|Not found): `)
	refused   = regexp.MustCompile(`(?m)\A(?:"(?:[^"\\]|\\.)*"?|[^\n"][^\n]*?(?:: |$))`)
	wrong     = regexp.MustCompile(`\A(?:(?:Invalid|Unsupported|Duplicate) value:|Not found:|Forbidden:|Too (?:long|many|few):|Required value)`)
)

// complained finds the values of secrets that were refused.
func complained(found []span, text string) []span {
	for _, at := range complaint.FindAllStringSubmatchIndex(text, -1) {
		if isSecretName(text[at[2]:at[3]]) {
			value := strings.TrimSuffix(refused.FindString(text[at[1]:]), ": ")
			found = append(found, span{at[1], at[1] + len(value)})
		}
	}
	return found
}

func assigned(found []span, text string) []span {
	forms := assignments[1:]
	if strings.Contains(text, "\n") {
		forms = assignments[:]
	}
	for _, form := range forms {
		for from := 0; from < len(text); {
			at := form.name.FindStringSubmatchIndex(text[from:])
			if at == nil {
				break
			}
			name, begin := text[from+at[2]:from+at[3]], from+at[1]
			from += at[3]
			if !isSecretName(name) || referenceName.MatchString(name) || wrong.MatchString(text[begin:]) {
				continue
			}
			value := form.value.FindString(text[begin:])
			if value != "" && !isFlag(strings.Trim(value, `"'`)) {
				found = append(found, span{begin, begin + len(value)})
				from = begin + len(value)
			}
		}
	}
	return found
}

// nestedName begins a map or list: a name with nothing but a bracket or a comment behind it, or nothing
// at all.
var nestedName = regexp.MustCompile(`(?m)(?:^|[ \t{,])\\?["']?([\w.-]+)\\?["']?[ \t]*[:=][ \t]*(?:([\[{])|#|\r?$)`)

// secretManifest is in a text that holds a Secret, such as a template of one.
var secretManifest = regexp.MustCompile(`(?m)^[ \t-]*kind:[ \t]*["']?Secret["']?[ \t]*\r?$`)

// nested finds the maps and lists of secrets in texts that no reader understands as a whole.
func nested(found []span, text string) []span {
	ofSecret := secretManifest.MatchString(text)
	for from := 0; from < len(text); {
		at := nestedName.FindStringSubmatchIndex(text[from:])
		if at == nil {
			break
		}
		next := from + at[3]
		name := text[from+at[2] : from+at[3]]
		if holdsSecrets(name) || ofSecret && (name == "data" || name == "stringData") {
			begin, end := from+at[1], 0
			if at[4] >= 0 {
				begin = from + at[4]
				end = closing(text, begin)
			} else {
				end = outdent(text, begin, indentation(text, from+at[2]))
			}
			if begin < end {
				found = append(found, span{begin, end})
			}
			next = max(next, end)
		}
		from = next
	}
	return found
}

// closing returns the end of what the bracket at from opens, the end of the text when nothing closes it.
func closing(text string, from int) int {
	depth, quote := 0, byte(0)
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"':
			quote = c
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// indentation returns how far the line of what stands at i is indented; dashes of a list count.
func indentation(text string, i int) int {
	line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
	return len(line) - len(strings.TrimLeft(line, " \t-"))
}

// outdent returns the end of the lines behind from that are indented more than indent, or are items of a list at it.
func outdent(text string, from, indent int) int {
	end := from
	for from < len(text) {
		i := strings.IndexByte(text[from:], '\n')
		if i < 0 {
			return end
		}
		line, _, _ := strings.Cut(text[from+i+1:], "\n")
		rest := strings.TrimLeft(line, " \t")
		depth := len(line) - len(rest)
		if rest != "" && depth <= indent && (depth < indent || !strings.HasPrefix(rest, "-")) {
			return end
		}
		from += i + 1
		if rest != "" {
			end = from + len(line)
		}
	}
	return end
}

// userInfo returns how many bytes of rest, the part of a URL after "://", are its user information. A password that
// should have been escaped may contain a slash: then all up to the last @ is taken, unless what is before the slash is a
// host and a port.
func userInfo(rest string) int {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if authority[:i] == "git" {
			return 0
		}
		return i
	}
	_, port, found := strings.Cut(authority, ":")
	if !found || strings.Trim(port, "0123456789") == "" {
		return 0
	}
	return max(strings.LastIndexByte(rest, '@'), 0)
}

// merge sorts spans and joins those that overlap.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.from < out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
		} else if s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}
