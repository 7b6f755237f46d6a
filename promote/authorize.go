package promote

// Authorizes says whether an Argo CD application may be touched on behalf of a stage: it must exist and name the stage in its
// annotation kargo.akuity.io/authorized-stage. The verdict is that of the application gate.
func Authorizes(app ApplicationEvidence, stage StageRef) (Verdict, string) {
	return judgeApplication(app, stage)
}
