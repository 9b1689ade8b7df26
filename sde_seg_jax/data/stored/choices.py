"""What a command line offers for stored files; imports nothing, so that help comes at once."""

IMAGE_FORMATS = ("jpeg", "png")  # the keys of `codec.CODECS`
RUNNERS = ("DirectRunner", "SparkRunner", "FlinkRunner", "DataflowRunner")  # of Apache Beam that prepare data
SHARD_SIZE = 128  # samples a file of a depth cache: what an interruption loses at most
