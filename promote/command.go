package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Verb is what a comment asks for.
type Verb string

// The verbs. A verb that is none of these is answered with the list.
const (
	VerbHelp     Verb = "help"
	VerbStatus   Verb = "status"
	VerbPromote  Verb = "promote"
	VerbRollback Verb = "rollback"
	VerbRetry    Verb = "retry"
	VerbAdmit    Verb = "admit"
	VerbApprove  Verb = "approve"
	VerbReject   Verb = "reject"
	VerbAccept   Verb = "accept"
	VerbHold     Verb = "hold"
	VerbResume   Verb = "resume"
)

// Verbs describes every command, in the order in which /help lists them.
func Verbs() []VerbHelpText {
	return []VerbHelpText{
		{VerbPromote, "[stage] [version]", PermissionWrite, "On an open change: merge it as soon as every gate passes. " +
			"On a merged one: promote its freight to the next stage. With a stage: promote to that stage, the version if one is named."},
		{VerbRollback, "[stage] [version]", PermissionWrite, "Reject what the stage runs, and promote what it ran before, or the version that is named."},
		{VerbRetry, "", PermissionWrite, "Promote the freight of this change once more, after its promotion failed or was closed."},
		{VerbAdmit, "[stage] [version]", PermissionWrite, "Approve the freight of this change where a step waits for that. " +
			"Who maintains the repository lets a freight into a stage with it that its upstream stages did not verify."},
		{VerbApprove, "[stage] [version]", PermissionWrite, "The same as `/admit`, where the forge does not take it for a command of its own, as GitLab does."},
		{VerbReject, "[version] [reason]", PermissionWrite, "Mark a freight as bad: it is promoted to no stage any more."},
		{VerbAccept, "[version]", PermissionWrite, "Take a rejection back."},
		{VerbHold, "[stage] [reason]", PermissionWrite, "Keep the stage as it is: nothing is proposed or merged until `/resume`."},
		{VerbResume, "[stage]", PermissionWrite, "Lift the hold."},
		{VerbStatus, "[stage]", PermissionRead, "Say what every stage runs, what is next, and what it waits for."},
		{VerbHelp, "", PermissionRead, "Show this list."},
	}
}

// VerbHelpText describes one command.
type VerbHelpText struct {
	Verb       Verb
	Arguments  string
	Permission Permission // the least that the commenter needs in the repository
	Text       string
}

// Command is what a person asked for in a comment.
type Command struct {
	Verb       Verb
	Arguments  []string
	Comment    Comment    // its Change and ID name the command: the same comment is the same command, however often it comes
	Permission Permission // what the forge says the commenter may do
	// Teams and Owned are what else the rules ask for; see Standing.
	Teams []string
	Owned map[StageRef]string
	// Claimed is set where the author is what a job's variables say, which whoever may start it can set: where a rule asks for certain
	// people that is nobody.
	Claimed bool
	// Unsure is set where it could not be found out whether the commenter may do that: nothing is done, and it is tried again.
	Unsure bool
	// Refused says why it is not obeyed whatever it asks for; empty: it is looked at.
	Refused string
	Change  Change // the change that was commented on
}

// commands answers what people wrote: with record what changes the ledger, otherwise the rest, which is answered from the
// plan. A comment that is there twice counts once.
func (d *decision) commands(record bool) {
	type key struct{ change, comment int }
	seen := map[key]bool{}
	for _, c := range d.state.Commands {
		if records := c.Verb != VerbHelp && c.Verb != VerbStatus; records != record || seen[key{c.Comment.Change, c.Comment.ID}] {
			continue
		}
		seen[key{c.Comment.Change, c.Comment.ID}] = true
		d.command(c)
	}
}

// command answers one command. Everything it changes is a record in the ledger; the stages are decided on the record.
func (d *decision) command(c Command) {
	reply := Reply{Change: c.Comment.Change, Comment: c.Comment.ID, Reaction: ReactionDone}
	why := d.forbidden(c)
	switch {
	case !slices.Contains(verbNames(), string(c.Verb)):
		reply.Reaction, reply.Body = ReactionDenied, unknownVerb(c.Verb)
	case c.Refused != "":
		reply.Reaction, reply.Body = ReactionDenied, c.Refused
	case c.Unsure:
		reply.Reaction, reply.Again = ReactionSeen, true
		reply.Body = fmt.Sprintf("It could not be found out whether %s may do that, so nothing was done. It is tried again.", codeSpan(c.Comment.Author))
	case why != "":
		reply.Reaction, reply.Body = ReactionDenied, why
	default:
		var err error
		reply.Body, err = d.obey(c)
		if err != nil {
			reply.Reaction, reply.Body = ReactionDenied, sentence(err.Error())
		}
	}
	d.do(reply)
}

func (d *decision) obey(c Command) (string, error) {
	switch c.Verb {
	case VerbHelp:
		return helpText(), nil
	case VerbStatus:
		return d.statusText(c)
	case VerbHold:
		return d.hold(c)
	case VerbResume:
		return d.resume(c)
	case VerbPromote:
		return d.promote(c)
	case VerbRollback:
		return d.rollback(c)
	case VerbRetry:
		return d.retry(c)
	case VerbAdmit, VerbApprove:
		return d.approve(c)
	case VerbReject:
		return d.reject(c)
	case VerbAccept:
		return d.accept(c)
	}
	return "", fmt.Errorf("there is no command %s", codeSpan("/"+string(c.Verb)))
}

// CheckCommand reports what is wrong with a text that is meant as a command, whatever the pipelines are: it has to begin with a
// slash and a verb that there is.
func CheckCommand(text string) error {
	verb, _, ok := ParseCommand(text)
	if !ok {
		first, _, _ := strings.Cut(strings.TrimLeft(text, "/ \t\r\n"), " ")
		if near, ok := Nearest(strings.ToLower(first), verbNames()); ok {
			return fmt.Errorf("%q is no command: did you mean %q?", text, "/"+near)
		}
		return fmt.Errorf("%q is no command: write one as in a comment, such as /promote staging 1.0.2", text)
	}
	if slices.Contains(verbNames(), string(verb)) {
		return nil
	}
	if near, ok := Nearest(string(verb), verbNames()); ok {
		return fmt.Errorf("there is no command %q: did you mean %q?", "/"+string(verb), "/"+near)
	}
	return fmt.Errorf("there is no command %q: there are /%s", "/"+string(verb), strings.Join(verbNames(), ", /"))
}

func verbNames() []string {
	names := make([]string, 0, len(Verbs()))
	for _, v := range Verbs() {
		names = append(names, string(v.Verb))
	}
	return names
}

func unknownVerb(verb Verb) string {
	text := fmt.Sprintf("There is no command %s.", codeSpan("/"+string(verb)))
	if near, ok := Nearest(string(verb), verbNames()); ok {
		text += fmt.Sprintf(" Did you mean `/%s`?", near)
	}
	return text + " `/help` lists them all."
}

func helpText() string {
	var b strings.Builder
	b.WriteString("Commands, one to a comment, at the start of a line:\n\n| command | who | what it does |\n|---|---|---|\n")
	for _, v := range Verbs() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.TrimSpace("/"+string(v.Verb)+" "+v.Arguments), v.Permission, v.Text)
	}
	return b.String()
}

func (d *decision) statusText(c Command) (string, error) {
	stages := d.plan.Stages
	if len(c.Arguments) > 0 {
		ref, _, err := d.stageNamed(c)
		if err != nil {
			return "", err
		}
		stages = slices.DeleteFunc(slices.Clone(stages), func(s StageStatus) bool { return s.Stage != ref })
	}
	return StatusTable(stages), nil
}

func (d *decision) hold(c Command) (string, error) {
	ref, rest, err := d.stageNamed(c)
	if err != nil {
		return "", err
	}
	hold := Hold{Stage: ref, By: c.Comment.Author, Reason: truncate(clean(strings.Join(rest, " ")), 200), At: c.Comment.At}
	before, held := d.index.holds[ref]
	switch recorded := before.By == hold.By && before.At.Equal(hold.At); {
	case held && !recorded:
		return fmt.Sprintf("%s is already held by %s.", codeSpan(ref.String()), codeSpan(before.By)), nil
	case !held:
		d.index.holds[ref] = hold
		d.do(RecordHold{hold})
	}
	d.pin(ref)
	return fmt.Sprintf("%s is on hold: nothing is proposed or merged until %s.",
		codeSpan(ref.String()), codeSpan("/resume "+d.index.word(ref))), nil
}

func (d *decision) resume(c Command) (string, error) {
	ref, _, err := d.stageNamed(c)
	if err != nil {
		return "", err
	}
	if !d.release(c, ref) {
		return fmt.Sprintf("%s is not on hold.", codeSpan(ref.String())), nil
	}
	return fmt.Sprintf("%s goes on.", codeSpan(ref.String())), nil
}

// release lifts every hold of a stage. ok is false when there is none.
func (d *decision) release(c Command, ref StageRef) (ok bool) {
	if hold, held := d.index.holds[ref]; held {
		delete(d.index.holds, ref)
		d.do(ReleaseHold{Hold: hold, By: c.Comment.Author})
		ok = true
	}
	place := d.index.stages[ref]
	for _, request := range d.state.Pipelines[place.pipeline].Stages[place.stage].Requests {
		key := stageWarehouse{ref, request.Warehouse}
		if hold, held := d.index.autoHolds[key]; held {
			delete(d.index.autoHolds, key)
			d.do(ReleaseHold{Hold: hold, By: c.Comment.Author})
			ok = true
		}
	}
	return ok
}

// promote records what a person wants promoted. The answer to a comment whose wish is recorded already is the same again.
func (d *decision) promote(c Command) (string, error) {
	request := Request{Key: c.key(), By: c.Comment.Author, At: c.Comment.At}
	if before, recorded := d.index.keys[request.Key]; recorded {
		freight, _ := d.index.freight(before.Stage.Project, before.Freight)
		return d.promised(*before, freight), nil
	}
	ref, freight, err := d.wanted(c)
	if err != nil {
		return "", err
	}
	request.Stage, request.Freight, request.After = ref, freight.ID, d.index.lastNumber(ref)
	active, isActive := d.index.active(ref)
	if isActive && active.Freight == freight.ID {
		if active.Phase == PhaseDelivering {
			return fmt.Sprintf("%s is on its way to %s already.", codeSpan(freight.Label()), codeSpan(ref.String())), nil
		}
		if reason := d.otherHead(c, active); reason != "" {
			return "", fmt.Errorf("%s is not merged into %s: %s", codeSpan(freight.Label()), codeSpan(ref.String()), reason)
		}
		request.Merge, request.Head, request.Shown = active.ID, active.Head, active.Shown
	}
	if reason := d.refusal(request, freight); reason != "" {
		return "", fmt.Errorf("%s cannot go to %s: %s", codeSpan(freight.Label()), codeSpan(ref.String()), tableCell(reason))
	}
	if reason := d.soleAdmitter(c, ref, freight); reason != "" {
		return "", fmt.Errorf("%s", reason)
	}
	d.choose(c, ref, freight)
	d.index.addRequest(&request)
	d.do(RecordRequest{request})
	return d.promised(request, freight), nil
}

// otherHead says why what a person looked at is not what an open promotion proposes; empty when it is.
func (d *decision) otherHead(c Command, active Promotion) string {
	change, found := d.index.change(active)
	seen := cmp.Or(c.Comment.Head, c.Change.Head)
	switch {
	case !found:
		return ""
	case change.Head != active.Head && d.state.Tips[active.Branch] != active.Head:
		return "commits were added to its change by hand, and nothing is merged that was not proposed: a person has to merge it"
	case c.Comment.Change == change.Number && seen != "" && seen != active.Head:
		return "the proposal was made again since: look at it, and comment once more"
	}
	return ""
}

// promised says what will become of a request.
func (d *decision) promised(r Request, freight Freight) string {
	name, stage := codeSpan(freight.Label()), codeSpan(r.Stage.String())
	text := fmt.Sprintf("%s is promoted to %s.", name, stage)
	if r.Merge != "" {
		text = fmt.Sprintf("%s is merged into %s as soon as every gate passes, at %s.", name, stage, codeSpan(r.Head.Short()))
	}
	if r.Shown != "" {
		text += " If it has to be proposed anew, that holds as long as it shows the same."
	}
	if _, held := d.index.autoHolds[stageWarehouse{r.Stage, freight.Warehouse}]; held {
		text += fmt.Sprintf(" Freight of %s is not promoted there automatically until %s.", codeSpan(freight.Warehouse),
			codeSpan("/resume "+d.index.word(r.Stage)))
	}
	return text
}

// refusal says why a request would come to nothing; empty when it would not. What the gates of an open change say is shown
// there and may change.
func (d *decision) refusal(r Request, freight Freight) string {
	place, ok := d.index.stages[r.Stage]
	if !ok {
		return "the stage is not declared"
	}
	s := d.at(place)
	in := s.input(freight, Evidence{}, true)
	if len(s.stage.Steps) == 0 {
		return "it is a control-flow stage: it has no steps and nothing is promoted to it"
	}
	if a := available(in); a.verdict != Pass {
		return a.reason
	}
	if verdict, reason := judgeHold(in); verdict != Pass {
		return reason
	}
	if by, other, ok := d.later(r, freight); ok {
		return fmt.Sprintf("%s asked for %s after that was written; comment once more to have it all the same", by, other.Label())
	}
	if r.Merge != "" {
		return ""
	}
	if reason := s.pipelineProblem(); reason != "" {
		return reason
	}
	return d.state.Unmade[ProposalKey(r.Stage, freight.ID)]
}

// later returns who asked for other freight of the same warehouse after a request was written: comments may come late.
func (d *decision) later(r Request, freight Freight) (by string, other Freight, ok bool) {
	for _, newer := range d.index.requests[r.Stage] {
		other, known := d.index.freight(r.Stage.Project, newer.Freight)
		if known && other.Warehouse == freight.Warehouse && other.ID != freight.ID && newer.At.After(r.At) {
			return newer.By, other, true
		}
	}
	return "", Freight{}, false
}
