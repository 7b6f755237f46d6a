// Package jsonnet evaluates the Jsonnet files of a plain directory as Argo CD does.
//
// It owns how imports are found, top-level arguments, external variables and what a program's result may be. Which files are
// evaluated and what becomes of their objects is decided by render/directory. Rules follow Argo CD 3.6: reposerver/repository
// makeJsonnetVM and findManifests. There are no native functions, so equal requests give equal outputs.
//
// The interpreter cannot be interrupted, and nothing bounds the memory that a program takes. [Evaluate] returns when its
// context ends and leaves the program behind; whoever evaluates what strangers wrote does it in a process that can be killed.
package jsonnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Request says what to evaluate.
type Request struct {
	Tree    fs.FS    `json:"-"` // required; nothing outside of its root is reached
	Dir     string   // required; the folder of the application, in which imports are looked for last
	Files   []string // required; relative to the root of Tree
	Libs    []string // folders in which imports are looked for, relative to the root of Tree; the last one first
	TLAs    []Variable
	ExtVars []Variable
	Limits  Limits
}

// Variable is a top-level argument or an external variable.
type Variable struct {
	Name  string
	Value string
	Code  bool // Value is Jsonnet and not a text
}

// Limits bounds one call of [Evaluate]. A zero field has the default.
type Limits struct {
	Reads       int // files read; 20,000
	InputBytes  int // what they have together; 100 MiB
	OutputBytes int // what the programs print together; 10 MiB
	Stack       int // calls inside each other; 500, as in jsonnet
}

func (l Limits) withDefaults() Limits {
	if l.Reads == 0 {
		l.Reads = 20_000
	}
	if l.InputBytes == 0 {
		l.InputBytes = 100 << 20
	}
	if l.OutputBytes == 0 {
		l.OutputBytes = 10 << 20
	}
	if l.Stack == 0 {
		l.Stack = 500
	}
	return l
}

// Output is what the programs print.
type Output struct {
	Documents []Document // one for each of Request.Files, in their order
	Inputs    []string   // the files of the tree that were read, sorted
}

// Document is the result of one file.
type Document struct {
	File string
	JSON []byte
}

// Evaluate evaluates the files. What is wrong with them is a [*manifest.Error] with its place; one about a bound matches
// [manifest.ErrBound], as does one about the deadline of ctx. Inputs is filled in as far as files were read.
func Evaluate(ctx context.Context, req Request) (Output, error) {
	type result struct {
		out Output
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := evaluate(ctx, req)
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
		return Output{}, tookTooLong(ctx.Err())
	}
}

func tookTooLong(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &manifest.Error{Problem: "evaluating Jsonnet took too long and was given up", Remedy: "look for loops and recursion", Cause: errors.Join(manifest.ErrBound, err)}
}

func evaluate(ctx context.Context, req Request) (out Output, err error) {
	imports := newImporter(ctx, req)
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("jsonnet gave up: %v", problem)
		}
		out.Inputs = imports.inputs()
	}()
	for _, lib := range req.Libs {
		if !fs.ValidPath(libPath(lib)) {
			return out, &manifest.Error{Problem: fmt.Sprintf("the Jsonnet library %q is outside of the repository", lib), Remedy: "write a path relative to its root"}
		}
	}
	raw := &rawErrors{}
	vm, limits := machine(req, imports, raw), req.Limits.withDefaults()
	size := 0
	for _, file := range req.Files {
		raw.last = nil
		text, err := vm.EvaluateFile(file)
		if imports.failed != nil {
			return out, imports.failed
		}
		if err != nil {
			return out, located(file, raw.last, err)
		}
		if size += len(text); size > limits.OutputBytes {
			return out, &manifest.Error{File: file, Problem: fmt.Sprintf("with this file the Jsonnet programs print more than %d bytes", limits.OutputBytes), Remedy: "split the application", Cause: manifest.ErrBound}
		}
		out.Documents = append(out.Documents, Document{File: file, JSON: []byte(text)})
	}
	return out, nil
}

func machine(req Request, imports *importer, raw *rawErrors) *jsonnet.VM {
	vm := jsonnet.MakeVM()
	vm.MaxStack = req.Limits.withDefaults().Stack
	vm.ErrorFormatter = raw
	vm.SetTraceOut(io.Discard)
	vm.Importer(imports)
	for _, v := range req.TLAs {
		if v.Code {
			vm.TLACode(v.Name, v.Value)
		} else {
			vm.TLAVar(v.Name, v.Value)
		}
	}
	for _, v := range req.ExtVars {
		if v.Code {
			vm.ExtCode(v.Name, v.Value)
		} else {
			vm.ExtVar(v.Name, v.Value)
		}
	}
	return vm
}

// rawErrors takes the errors of the interpreter before they become texts.
type rawErrors struct{ last error }

// Format implements jsonnet.ErrorFormatter.
func (r *rawErrors) Format(err error) string {
	r.last = err
	return err.Error()
}

// SetMaxStackTraceSize does nothing: only the innermost place is kept.
func (r *rawErrors) SetMaxStackTraceSize(int) {}

// SetColorFormatter does nothing.
func (r *rawErrors) SetColorFormatter(jsonnet.ColorFormatter) {}

// located gives an error of the interpreter its place: that of a mistake in the text, or the innermost call in a file.
func located(file string, raw, err error) error {
	out := &manifest.Error{File: file, Problem: shortened(err.Error()), Cause: err}
	var static interface{ Loc() ast.LocationRange }
	var runtime jsonnet.RuntimeError
	switch {
	case errors.As(raw, &runtime):
		out.Problem = shortened(runtime.Error())
		for _, frame := range runtime.StackTrace {
			if place(out, frame.Loc) {
				break
			}
		}
	case errors.As(raw, &static):
		if place(out, static.Loc()) {
			loc := static.Loc()
			out.Problem = shortened(strings.TrimPrefix(raw.Error(), loc.String()))
		}
	}
	return out
}

// place takes a location over when it is one of a file: those of the standard library and of variables are written <std>.
func place(out *manifest.Error, loc ast.LocationRange) bool {
	if loc.FileName == "" || strings.HasPrefix(loc.FileName, "<") || !loc.IsSet() {
		return false
	}
	out.File, out.Line, out.Column = loc.FileName, loc.Begin.Line, loc.Begin.Column
	return true
}

// shortened bounds a text for a message and puts it on one line.
func shortened(text string) string {
	const most = 600
	if before, _, crashed := strings.Cut(text, "\ngoroutine "); crashed {
		text = before
	}
	if len(text) > 4*most {
		text = text[:4*most]
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "")
}
