package devforge

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

// gitRoutes serves Git over smart HTTP. Pushes are judged before git sees them and announced before the client hears the end.
func (f *Forge) gitRoutes() http.Handler {
	backend := githttp.Handler(filepath.Join(f.config.Root, repositories), f.mayUseGit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, isPush := strings.CutSuffix(r.URL.Path, ".git/git-receive-pack")
		if !isPush || r.Method != http.MethodPost {
			backend.ServeHTTP(w, r)
			return
		}
		f.receive(w, r, strings.TrimPrefix(path, "/"), backend)
	})
}

// mayUseGit: the password is a token, whatever the user name, as with GitLab's access tokens.
func (f *Forge) mayUseGit(_, password, repo string, write bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(strings.TrimSuffix(repo, ".git")), f.userByToken(password)
	if p == nil || u == nil {
		return false
	}
	if f.config.Dialect == GitHub {
		return f.githubMayUseGit(p, u, password, write)
	}
	if write {
		return p.level(u) >= AccessDeveloper
	}
	return p.level(u) >= AccessReporter
}

func (f *Forge) receive(w http.ResponseWriter, r *http.Request, path string, backend http.Handler) {
	_, password, _ := r.BasicAuth()
	f.mu.Lock()
	p, u := f.tables.projectAt(path), f.userByToken(password)
	f.mu.Unlock()
	if p == nil || u == nil || r.Header.Get("Content-Encoding") != "" {
		backend.ServeHTTP(w, r) // it refuses, or git does: git clients do not compress pushes
		return
	}
	commands, err := readCommands(r)
	if err != nil {
		http.Error(w, "push: "+err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	reason := p.refusesPush(u, commands)
	if f.config.Dialect == GitHub {
		reason = p.githubRefusesPush(f, u, commands)
	}
	f.mu.Unlock()
	if reason != "" {
		w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
		w.Header().Set("Cache-Control", "no-cache")
		writeAll(w, commands.declined(reason))
		return
	}
	answer := newBuffered() // the client must not hear of success before the forge knows of it
	backend.ServeHTTP(answer, r)
	f.mu.Lock()
	if reason = f.rewrites(r.Context(), p, u, commands); reason == "" {
		err = f.afterPush(r.Context(), p, u)
	}
	f.mu.Unlock()
	if reason != "" {
		answer = newBuffered()
		answer.Header().Set("Content-Type", "application/x-git-receive-pack-result")
		answer.Header().Set("Cache-Control", "no-cache")
		writeAll(answer, commands.declined(reason))
	}
	if err != nil {
		f.log.ErrorContext(r.Context(), "push", "project", path, "error", err)
	}
	answer.copyTo(w)
}

// pushCommand is one ref that a push wants to move.
type pushCommand struct {
	from, to, ref string
}

type pushCommands struct {
	list       []pushCommand
	sideBand   bool
	reportable bool
}

const maxCommandBytes = 1 << 20

var errCommands = errors.New("the list of refs is not valid")

// readCommands reads the command list in front of the pack (gitprotocol-pack, "Reference Update Request") and puts it back.
func readCommands(r *http.Request) (pushCommands, error) {
	var seen bytes.Buffer
	var commands pushCommands
	body := bufio.NewReader(r.Body)
	for {
		line, err := readPacket(body, &seen)
		if err != nil {
			return pushCommands{}, err
		}
		if line == nil {
			break
		}
		if seen.Len() > maxCommandBytes {
			return pushCommands{}, errCommands
		}
		text, capabilities, first := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\x00")
		if first {
			commands.sideBand = strings.Contains(capabilities, "side-band-64k")
			commands.reportable = strings.Contains(capabilities, "report-status")
		}
		if fields := strings.SplitN(text, " ", 3); len(fields) == 3 {
			commands.list = append(commands.list, pushCommand{fields[0], fields[1], fields[2]})
		}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&seen, body), r.Body}
	return commands, nil
}

// readPacket returns nil for a flush packet. What it reads goes to seen as well.
func readPacket(body io.Reader, seen *bytes.Buffer) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(body, head[:]); err != nil {
		return nil, errCommands
	}
	seen.Write(head[:])
	size, err := strconv.ParseUint(string(head[:]), 16, 16)
	if err != nil || size > 0 && size < 4 {
		return nil, errCommands
	}
	if size == 0 {
		return nil, nil
	}
	line := make([]byte, size-4)
	if _, err := io.ReadFull(body, line); err != nil {
		return nil, errCommands
	}
	seen.Write(line)
	return line, nil
}

// refusesPush is what GitLab's pre-receive hook would say, or empty.
func (p *project) refusesPush(u *User, commands pushCommands) string {
	for _, command := range commands.list {
		branch, isBranch := strings.CutPrefix(command.ref, headsPrefix)
		_, protected := p.Protected[branch]
		switch {
		case strings.HasPrefix(command.ref, p.repo.kept) || strings.HasPrefix(command.ref, "refs/keep-around/"):
			return "deny updating a hidden ref"
		case isBranch && protected && command.to == zeroID:
			return "GitLab: You can only delete protected branches using the web interface."
		case isBranch && !p.mayPush(u, branch):
			return "GitLab: You are not allowed to push code to protected branches on this project."
		}
	}
	return ""
}

// declined is the answer of receive-pack when a pre-receive hook says no: every ref is refused.
func (c pushCommands) declined(reason string) []byte {
	var report bytes.Buffer
	packet := func(w *bytes.Buffer, text string) { fmt.Fprintf(w, "%04x%s", len(text)+4, text) }
	if c.reportable {
		packet(&report, "unpack ok\n")
		for _, command := range c.list {
			packet(&report, "ng "+command.ref+" pre-receive hook declined\n")
		}
		report.WriteString("0000")
	}
	if !c.sideBand {
		return report.Bytes()
	}
	var answer bytes.Buffer
	packet(&answer, "\x02"+reason+"\n")
	for rest := report.String(); rest != ""; {
		n := min(len(rest), 65_000)
		packet(&answer, "\x01"+rest[:n])
		rest = rest[n:]
	}
	answer.WriteString("0000")
	return answer.Bytes()
}
