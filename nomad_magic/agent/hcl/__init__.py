"""HCL as Nomad reads it: job files, and files of variables, into plain values.

The rules are those of HCL's native syntax specification
(https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md); what it leaves open was measured
with `nomad job run -output` of Nomad 2.0.6.
"""
