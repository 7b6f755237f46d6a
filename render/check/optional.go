package check

import "strings"

// requirement is a field that a schema calls required.
type requirement struct{ schema, field string }

// optional are the required fields that the API server accepts an object without: it takes the zero value, or sets a default
// (the SetDefaults_* and Validate* functions of k8s.io/kubernetes/pkg/apis). Their schemas say otherwise because the Go
// field is no pointer and has no omitempty.
var optional = map[requirement]bool{
	{"apps.StatefulSetSpec", "serviceName"}:                      true,
	{"apps.ControllerRevision", "revision"}:                      true,
	{"batch.PodFailurePolicyOnPodConditionsPattern", "status"}:   true,
	{"core.LimitRangeSpec", "limits"}:                            true,
	{"core.PreferredSchedulingTerm", "preference"}:               true,
	{"core.ISCSIVolumeSource", "lun"}:                            true,
	{"core.ISCSIPersistentVolumeSource", "lun"}:                  true,
	{"core.SleepAction", "seconds"}:                              true,
	{"core.HTTPHeader", "value"}:                                 true,
	{"core.Sysctl", "value"}:                                     true,
	{"core.SessionAffinityConfig", "clientIP"}:                   true,
	{"core.Event", "metadata"}:                                   true,
	{"discovery.EndpointSlice", "endpoints"}:                     true,
	{"networking.NetworkPolicySpec", "podSelector"}:              true,
	{"rbac.RoleRef", "apiGroup"}:                                 true,
	{"scheduling.PriorityClass", "value"}:                        true,
	{"storage.CSIDriver", "spec"}:                                true,
	{"storage.CSINodeSpec", "drivers"}:                           true,
	{"apiextensions.CustomResourceDefinitionVersion", "served"}:  true,
	{"apiextensions.CustomResourceDefinitionVersion", "storage"}: true,
}

// unversioned shortens the name of a schema to its group and kind, such as "apps.DeploymentSpec".
func unversioned(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) < 3 {
		return name
	}
	return parts[len(parts)-3] + "." + parts[len(parts)-1]
}
