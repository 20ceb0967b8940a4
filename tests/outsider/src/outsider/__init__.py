"Methods for msa_lit from somewhere else."
