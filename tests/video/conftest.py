from video_fixtures import long_video, video

__all__ = ["long_video", "video"]
