package manifest

// Envelope holds the keys that every Kubernetes object may have. Embed it in a struct for [Decode], so that none of them
// counts as unknown.
type Envelope struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Status     any      `json:"status"` // written by the cluster, not read
}

// Metadata is Kubernetes' ObjectMeta. What only the cluster writes is accepted and not read.
type Metadata struct {
	Name         string            `json:"name"`
	Namespace    string            `json:"namespace"`
	GenerateName string            `json:"generateName"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	Finalizers   []string          `json:"finalizers"`

	CreationTimestamp          any `json:"creationTimestamp"`
	DeletionTimestamp          any `json:"deletionTimestamp"`
	DeletionGracePeriodSeconds any `json:"deletionGracePeriodSeconds"`
	Generation                 any `json:"generation"`
	ManagedFields              any `json:"managedFields"`
	OwnerReferences            any `json:"ownerReferences"`
	ResourceVersion            any `json:"resourceVersion"`
	SelfLink                   any `json:"selfLink"`
	UID                        any `json:"uid"`
}
