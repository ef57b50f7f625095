"""What serves the tools that polypipe replaces: `divergence_data.db`, its import, and the old server's JSON.

The copier is `user1_` and the whale `user2_` there, and the gap is called divergence.
"""
