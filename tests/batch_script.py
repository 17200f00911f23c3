"""A batch as a program of its own, to be killed or run beside another one."""

from __future__ import annotations

BATCH = """
    import json
    import sys
    from pathlib import Path
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import Indexing, Owner, open_index
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    if __name__ == "__main__":
        executor, uri = sys.argv[1:]
        settings = Indexing(uri=uri or None)
        owner = Owner("e", library_id="faults", library_place="library")
        index = open_index(settings, folder=Path("library/index"), owner=owner)
        stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
            sink=LibrarySink(store=ParquetStore("library", "s", "e"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"), index=index))
        sources = [Source(str(path)) for path in sorted(Path("../films").glob("*.mp4"))]
        for report in make_executor(Execution(executor=executor, batch_frames=4), stages).run(sources):
            print(report.source.uri, report.status, report.frames_decoded, flush=True)
        keys = {record.video_id: sorted(index.keys_of(record.video_id)) for record in stages.sink.store.records()}
        print(json.dumps({"rows": index.count(), "keys": keys}), flush=True)
"""
"""Takes the executor, and the URI of its index or an empty text. Prints a line a video, and at last what is indexed."""
