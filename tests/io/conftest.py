from video_fixtures import large, long_video, video

__all__ = ["large", "long_video", "video"]
