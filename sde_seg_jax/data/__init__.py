"""Everything that reads and writes data; the only part that imports TensorFlow, and never a model.

spec.py says what a data set is, fields.py what an example consists of. Rooms, from raw files to batches:
`raw_files` -> `datasets`, `own`, `annotation`, `street_scenes` -> `preparing` -> `stored` -> `reading`; beside them
`matching` (which crops go together) and `inspecting` (what is wrong). Each room's first lines say what enters, what
leaves, and who may call.
"""
